/** `sallyport store status`: what the store is and holds, and whether it can be read at all. */
import { COLLECTIONS } from "../model/store.ts";
import { readKeeper, withStore } from "./store-config.ts";

/** Throws ConfigError, SallyportError. */
export async function storeStatus(config: string): Promise<number> {
  const figures = await withStore(await readKeeper(config), (store) => store.figures());
  const rows: [string, string | number][] = [
    ["engine", figures.engine],
    ["schema", figures.schema],
    ["epoch", figures.epoch],
    ["number", figures.number],
    ...COLLECTIONS.map((name): [string, number] => [name, figures.documents[name] ?? 0]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) console.log(`${name.padEnd(width)}  ${value}`);
  return 0;
}
