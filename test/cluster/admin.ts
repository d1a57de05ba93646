/** What an operator does through the admin API's socket of a machine, and what the answers say. */
import { request } from "node:http";
import { join } from "node:path";
import type { Machine } from "./machine.ts";

const LIMITS = {
  /** Milliseconds for one answer: longer than the server's own bounds. */
  answer: 30_000,
} as const;

export interface AdminAnswer {
  /** 0: none came; nothing is known about what was asked. */
  readonly status: number;
  readonly body: string;
}

/** Never rejects. */
export function admin(
  machine: Pick<Machine, "folder">,
  call: {
    readonly method: string;
    readonly path: string;
    readonly body?: object;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<AdminAnswer> {
  const socketPath = join(machine.folder, "run", "admin.sock");
  const headers = {
    host: "localhost",
    ...(call.body === undefined ? {} : { "content-type": "application/json" }),
    ...call.headers,
  };
  return new Promise((resolve) => {
    const none = (error: Error): void => resolve({ status: 0, body: error.message });
    const outgoing = request(
      { socketPath, method: call.method, path: call.path, headers, timeout: LIMITS.answer },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("error", none);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in time")));
    outgoing.on("error", none);
    outgoing.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  });
}

/** All that was issued to the subject until now. Asked again it is the same: there is one entry a target. */
export function revokeSubject(machine: Machine, subject: string): Promise<AdminAnswer> {
  return admin(machine, {
    method: "POST",
    path: "/v1/revocations",
    body: { target: { kind: "subject", authenticator: "corp", subject }, mode: "revoke" },
  });
}

/** Subjects that are revoked, as the authority lists them, page by page. */
export async function revokedSubjects(machine: Machine): Promise<string[]> {
  const subjects: string[] = [];
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? "" : `&cursor=${cursor}`;
    const path = `/v1/revocations?limit=20${query}`;
    const answer = await admin(machine, { method: "GET", path });
    if (answer.status !== 200) throw new Error(`revocations: ${answer.status} ${answer.body}`);
    const page = JSON.parse(answer.body) as {
      readonly revocations: readonly { readonly target: { readonly subject?: string } }[];
      readonly next?: string;
    };
    for (const { target } of page.revocations) subjects.push(target.subject ?? "");
    cursor = page.next;
  } while (cursor !== undefined);
  return subjects;
}
