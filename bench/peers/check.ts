/**
 * What a peer must have shown before a figure of it counts: it answers the right token with what the
 * service says, it refuses no token and each wrong one, and none of the refused reached the service.
 */
import type { Peer, PeerPlace, StartedPeer } from "./peer.ts";
import { get, type GetOptions } from "../load/request.ts";
import { until } from "../machine/until.ts";

/** Waits until the peer serves, then checks it. Throws, naming the peer, at the first wrong answer. */
export async function checkPeer(peer: Peer, started: StartedPeer, place: PeerPlace): Promise<void> {
  const path = peer.paths[0] ?? "/";
  const { port } = started;
  const credentials =
    peer.authenticates === "none" ? undefined : place.credentials[peer.authenticates];
  const token = credentials?.tokens[0];
  const { tls = false, http2 = false } = peer;
  const good = { port, path, tls, http2, ...(token === undefined ? {} : { token }) };

  await until(`${peer.name} answers the right request with 200`, started.program, async () => {
    const { status, body } = await get(good);
    return status === 200 && body === place.service.body;
  });

  const before = await place.service.requestsSeen();
  const { status } = await get(good);
  if (status !== 200) throw new Error(`${peer.name} answered the right request with ${status}`);
  if (credentials !== undefined) {
    const wrong = Object.entries({ ...credentials.wrong, no: undefined });
    for (const [what, bad] of wrong) await refuses(peer, good, { what, token: bad, status: 401 });
    if (peer.authorizes) {
      await refuses(peer, good, { what: "a roleless", token: credentials.roleless, status: 403 });
    }
  }
  const seen = (await place.service.requestsSeen()) - before;
  if (seen !== 1) throw new Error(`${peer.name}: the service saw ${seen} requests of 1 good one`);
}

async function refuses(
  peer: Peer,
  good: GetOptions,
  wrong: { readonly what: string; readonly token: string | undefined; readonly status: number },
): Promise<void> {
  const { token: _, ...rest } = good;
  const answer = await get(wrong.token === undefined ? rest : { ...rest, token: wrong.token });
  if (answer.status === wrong.status) return;
  throw new Error(
    `${peer.name} answered a request with ${wrong.what} token with ${answer.status}, not ${wrong.status}`,
  );
}
