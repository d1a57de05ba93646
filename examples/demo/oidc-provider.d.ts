/**
 * The part of `oidc-provider` that the demo uses; the package ships no types of its own.
 */
declare module "oidc-provider" {
  import type { IncomingMessage, ServerResponse } from "node:http";

  export interface ProviderClient {
    readonly clientId: string;
  }

  export interface ProviderContext {
    readonly oidc: {
      readonly client: ProviderClient;
      readonly session: { readonly accountId: string; grantIdFor(clientId: string): string };
      readonly provider: Provider;
    };
  }

  export interface ProviderToken {
    readonly accountId?: string;
    readonly clientId: string;
    readonly resourceServer?: { readonly accessTokenTTL?: number };
  }

  export interface Grant {
    addOIDCScope(scope: string): void;
    addResourceScope(resource: string, scope: string): void;
    save(): Promise<string>;
  }

  export class Provider {
    constructor(issuer: string, configuration: object);
    readonly Grant: new (properties: { accountId: string; clientId: string }) => Grant;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
    interactionFinished(
      request: IncomingMessage,
      response: ServerResponse,
      result: object,
    ): Promise<void>;
    on(event: "server_error", listener: (context: unknown, error: Error) => void): this;
  }
}

declare module "oidc-provider/lib/adapters/memory_adapter.js" {
  /** Storage of its own for one provider; without it all providers in a process share one. */
  export function createMemoryAdapter(): (model: string) => object;
}
