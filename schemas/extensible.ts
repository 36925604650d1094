import { z } from 'zod'

/**
 * An object inside of a record, to which a later version may have added members. They are kept when it is written back,
 * so that two versions can work side by side during a deployment; for the types there are none.
 */
export const extensible = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.looseObject(shape) as unknown as z.ZodObject<
    { -readonly [Name in keyof Shape]: Shape[Name] },
    z.core.$strip
  >
