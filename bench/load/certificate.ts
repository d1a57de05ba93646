/** A certificate for peers that speak TLS: ECDSA P-256, self-signed, made for the run. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { Site } from "../machine/site.ts";
import { findProgram } from "../machine/requirements.ts";

/** PEM files. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  /** Both in one file, as HAProxy wants them. */
  readonly both: string;
}

export function createCertificate(site: Site): Certificate {
  const certificate = site.path("server.pem");
  const key = site.path("server.key");
  const both = site.path("server.both.pem");
  const { status, stderr } = spawnSync(
    findProgram("openssl") ?? "openssl",
    [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1".split(" "),
      ..."-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1".split(" "),
      "-keyout",
      key,
      "-out",
      certificate,
    ],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  writeFileSync(both, readFileSync(certificate, "utf8") + readFileSync(key, "utf8"), {
    mode: 0o600,
  });
  return { certificate, key, both };
}
