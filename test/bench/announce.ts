// A row's process and the bench: the process says where it listens, and ends with the bench.

/** Tells the bench the address; from then on the process lives as long as the bench does. */
export function announce(url: string): void {
  process.send?.({ url });
  process.on('disconnect', () => process.exit(0));
}
