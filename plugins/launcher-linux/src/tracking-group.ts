/** stub */
export interface TrackingGroup {
  readonly path: string;
  add(pid: number): void;
  kill(): void;
  end(): Promise<void>;
}
export function thawFreezerOf(_pid: number): void {}
export function createTrackingGroup(_id: string): TrackingGroup {
  throw new Error('todo');
}
export function reopenTrackingGroup(_path: string): TrackingGroup {
  throw new Error('todo');
}
