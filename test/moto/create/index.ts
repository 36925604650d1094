import type { Block } from '../../support/synthesized.ts'
import { type Creation, call, list, type Maker, needed, pascal } from '../calls.ts'
import { buckets } from './buckets.ts'
import { compute } from './compute.ts'
import { data } from './data.ts'
import { network } from './network.ts'
import { roles } from './roles.ts'
import { watching } from './watching.ts'

/** How each type of resource is made. */
export const makers: Readonly<Record<string, Maker>> = {
  ...network,
  ...data,
  ...buckets,
  ...compute,
  ...roles,
  ...watching,
}

/** What Terraform only asks. */
export const readers: Readonly<Record<string, (block: Block) => Creation>> = {
  *aws_caller_identity() {
    return { account_id: needed(yield call('sts', 'GetCallerIdentity'), 'Account') }
  },

  *aws_partition() {
    const [, partition] = String(needed(yield call('sts', 'GetCallerIdentity'), 'Arn')).split(':')
    return { partition }
  },

  *aws_availability_zones({ state, filter }) {
    const answer = yield call('ec2', 'DescribeAvailabilityZones', {
      Filters: [{ Name: 'state', Values: [state] }, ...list(filter).map(pascal)],
    })
    return { names: list(needed(answer, 'AvailabilityZones')).map(({ ZoneName }) => ZoneName) }
  },
}
