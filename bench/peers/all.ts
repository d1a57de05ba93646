/** Every peer that the bench knows, in the order of the table. */
import type { Peer } from "./peer.ts";
import { envoys } from "./envoy.ts";
import { haproxies } from "./haproxy.ts";
import { sallyports } from "./sallyport.ts";
import { nginxes } from "./nginx.ts";

export const PEERS: readonly Peer[] = [...sallyports, ...nginxes, ...haproxies, ...envoys];
