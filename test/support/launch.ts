import type { ActPorts } from '../../controller/reconcile/act.ts'
import { defaultPrices } from '../../schemas/prices.ts'

/** What every task of a test has in common. */
export const testLaunch: ActPorts['launch'] = {
  installation: 'test',
  cluster: 'jobs',
  subnets: [],
  securityGroups: [],
  assignPublicIp: 'DISABLED',
  prices: defaultPrices,
  vcpuCeiling: () => 6,
  workerFamily: 'worker',
  workerContainer: 'worker',
}
