/** Who takes part in a section: those that `--only` names; where it names none, all that are not optional or are there. */
import { missing } from "../machine/requirements.ts";
import type { Peer } from "./peer.ts";

export function choosePeers(peers: readonly Peer[], only: readonly string[]): readonly Peer[] {
  const named = peers.filter(({ name }) => only.includes(name));
  if (named.length > 0) return named;
  return peers.filter((peer) => peer.optional !== true || missing(peer.requires).length === 0);
}
