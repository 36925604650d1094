import type { ActPorts } from '../../controller/reconcile/act.ts'
import type { Network, Networks } from '../../controller/reconcile/launch.ts'
import { defaultPrices } from '../../schemas/prices.ts'

/** The same network for every group. */
export const networks = (network: Network): Networks => ({
  media: network,
  internet: network,
  seeding: network,
  own: network,
})

/** What every task of a test has in common. */
export const testLaunch: ActPorts['launch'] = {
  installation: 'test',
  cluster: 'jobs',
  networks: networks({ subnets: [], securityGroups: [], assignPublicIp: 'DISABLED' }),
  outputsBucket: 'outputs',
  transcribeRoleArn: undefined,
  prices: defaultPrices,
  vcpuCeiling: () => 6,
  workerFamilies: { media: 'worker', internet: 'worker-internet', seeding: 'worker-seeding' },
  workerContainer: 'worker',
}
