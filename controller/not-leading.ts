/** This controller may not act (any more): another one leads or will in a moment, and it finds the job again. */
export class NotLeading extends Error {
  override name = 'NotLeading'
}
