/** The value below which a share (0 to 1) of the samples lies. */
export function percentile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const median = (samples) => percentile(samples, 0.5);

/**
 * Runs each once, then again, ...: a machine that slows down slows all of them alike. Each runs twice in its turn, and the second
 * time counts: what the one before has left behind (cold caches, pages that a fork made copy-on-write) is nobody's merit.
 */
export async function interleaved(contenders, rounds) {
  const samples = new Map(contenders.map(({ name }) => [name, []]));
  for (const { launch } of contenders) await launch();
  for (let round = 0; round < rounds; round++)
    for (const { name, launch } of contenders) {
      await launch();
      samples.get(name).push(await launch());
    }
  return samples;
}
