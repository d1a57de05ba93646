/** What is at hand is used at once; only what has to be fetched is waited for. */
export function settle<T, U>(
  value: T | Promise<T>,
  then: (value: T) => U,
): U | Promise<Awaited<U>> {
  return value instanceof Promise ? (value.then(then) as Promise<Awaited<U>>) : then(value);
}

/** The same of several, which are asked for together. */
export function settleAll<T, U>(
  values: readonly (T | Promise<T>)[],
  then: (values: readonly T[]) => U,
): U | Promise<Awaited<U>> {
  return values.some((value) => value instanceof Promise)
    ? (Promise.all(values).then(then) as Promise<Awaited<U>>)
    : then(values as readonly T[]);
}
