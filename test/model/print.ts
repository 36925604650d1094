import type { Action } from '../../controller/reconcile/decide.ts'
import { taskOf } from './bridge.ts'
import type { Ctrl, Rec } from './state.ts'

// Steps in words, as a person would tell them.

export const nameOf = (index: number): string => `controller ${index === 0 ? 'A' : 'B'}`

export function recWords(rec: Rec): string {
  const parts: string[] = [rec.phase]
  if (rec.fence !== 0) parts.push(`attempt ${rec.open}, launch ${rec.fence}`)
  if (rec.fence !== 0) parts.push(rec.arn === 0 ? 'no ARN' : `ARN t${rec.arn}`)
  if (rec.refused !== '') parts.push(`refused (${rec.refused})`)
  if (rec.claim !== 0) parts.push(`claimed by t${rec.claim}`)
  if (rec.report !== '') parts.push(`report "${rec.report}" of launch ${rec.reportOf}`)
  if (rec.stopping !== '') parts.push(`stopping (${rec.stopping})`)
  if (rec.notBefore !== '') parts.push(`notBefore ${rec.notBefore === 'later' ? 'to come' : 'over'}`)
  if (rec.cancel) parts.push('cancel wished')
  if (rec.suspend) parts.push('suspend wished')
  if (rec.failed + rec.infra > 0) parts.push(`${rec.failed} failed, ${rec.infra} infra`)
  return parts.join(', ')
}

export function lookWords({ arn, look, strays }: Ctrl): string {
  const own = arn === 0 ? [] : [`t${arn} is ${lookNames[look] ?? look}`]
  const others = strays.flatMap((note, index) => (note === '-' ? [] : [`stray t${index + 1}: ${note}`]))
  return [...own, ...others].join('; ')
}

const lookNames: Record<string, string> = {
  starting: 'PENDING',
  running: 'RUNNING',
  startingDoomed: 'PENDING, to be STOPPED',
  runningDoomed: 'RUNNING, to be STOPPED',
  missing: 'MISSING',
  missingDue: 'MISSING when it looked, a grace ago',
  missingLong: 'MISSING, and has been for the whole grace',
}

export function actionWords(action: Action): string {
  switch (action.do) {
    case 'settle':
      return `settle (${action.reason})`
    case 'recordArn':
      return `record the ARN t${taskOf(action.arn)}`
    case 'stopTask':
      return `StopTask t${taskOf(action.arn)} (${action.reason})`
    case 'intend':
      return `the intent of the next launch (${action.reason})`
    case 'stopIntent':
      return `the stop intent (${action.reason})`
    case 'enterLine':
      return `enter line ${action.line}`
    default:
      return `${action.do} (${action.reason})`
  }
}

export const numbered = (steps: readonly string[]): string =>
  steps.map((step, index) => `${String(index + 1).padStart(3)}. ${step}`).join('\n')
