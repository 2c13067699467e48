/** What random programs went through, in numbers. */

export interface Figures {
  sequences: number;
  operations: number;
  acknowledged: number;
  unknown: number;
  kills: number;
  powerCuts: number;
  cleanStops: number;
  /** Starts that were stopped before they were through. */
  stoppedStarts: number;
  faults: number;
  rebuilds: number;
  /** Starts that cut off a torn last frame, and that went on from a fence. */
  tornTails: number;
  fromFences: number;
  /** Requests that were done under a key and repeated after a start. */
  repeats: number;
  /** Acknowledged operations of each kind. */
  readonly kinds: Record<string, number>;
}

export function noFigures(): Figures {
  return {
    sequences: 0,
    operations: 0,
    acknowledged: 0,
    unknown: 0,
    kills: 0,
    powerCuts: 0,
    cleanStops: 0,
    stoppedStarts: 0,
    faults: 0,
    rebuilds: 0,
    tornTails: 0,
    fromFences: 0,
    repeats: 0,
    kinds: {},
  };
}

export function renderKinds({ kinds }: Figures): string {
  const ordered = Object.entries(kinds).sort(([, left], [, right]) => right - left);
  return ordered.map(([kind, count]) => `${kind} ${count}`).join(', ');
}
