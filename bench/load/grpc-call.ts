/** One unary call on a connection of its own, as a gRPC client sees it: for checks, never for load. */
import { connect } from "node:http2";
import { GRPC_MESSAGE, GRPC_PATH } from "./service.ts";

export interface GrpcAnswer {
  readonly status: number;
  readonly message: Buffer;
  /** Of the trailers, or of the head where the answer is trailers only; undefined: there was none. */
  readonly grpcStatus: string | undefined;
}

export const GRPC_FIELDS: readonly string[] = [
  "content-type",
  "application/grpc",
  "te",
  "trailers",
  "user-agent",
  "grpc-bench/1.0",
];

const TIMEOUT_MS = 5_000;

export function callGrpc(port: number, token: string | undefined): Promise<GrpcAnswer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const fail = (error: Error): void => {
      session.destroy();
      reject(error);
    };
    session.once("error", fail);
    const stream = session.request({
      ":method": "POST",
      ":path": GRPC_PATH,
      "content-type": "application/grpc",
      te: "trailers",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    });
    let status = 0;
    let grpcStatus: string | undefined;
    const pieces: Buffer[] = [];
    const note = (headers: Readonly<Record<string, unknown>>): void => {
      const found = headers["grpc-status"];
      if (typeof found === "string") grpcStatus = found;
    };
    stream.setTimeout(TIMEOUT_MS, () => fail(new Error("no answer in time")));
    stream.once("error", fail);
    stream.once("response", (headers) => {
      status = headers[":status"] ?? 0;
      note(headers);
    });
    stream.on("trailers", note);
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.once("close", () => {
      session.close();
      resolve({ status, message: Buffer.concat(pieces), grpcStatus });
    });
    stream.end(GRPC_MESSAGE);
  });
}
