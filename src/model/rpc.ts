/** What a JSON-RPC message asks for; `context.rpc` in policies. */

export const RPC_PROTOCOLS = ["json-rpc", "mcp"] as const;
export type RpcProtocol = (typeof RPC_PROTOCOLS)[number];

export interface RpcCall {
  readonly protocol: RpcProtocol;
  /** `response`: to a request of the server (MCP lets servers ask); it has no method. */
  readonly kind: "request" | "notification" | "response";
  readonly method?: string | undefined;
  /** MCP: name of the tool that is called. */
  readonly tool?: string | undefined;
  /** MCP: URI of the resource that is read, subscribed to or completed. */
  readonly resource?: string | undefined;
  /** MCP: name of the prompt that is fetched or completed. */
  readonly prompt?: string | undefined;
}

/** Those of `RpcCall` that are there or not, in the order of records. */
export const RPC_NAMES = ["method", "prompt", "resource", "tool"] as const;
