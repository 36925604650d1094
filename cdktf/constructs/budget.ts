import { BudgetsBudget } from '@cdktf/provider-aws/lib/budgets-budget/index.js'
import type { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js'
import { Construct } from 'constructs'
import type { Config } from '../schema.ts'

/**
 * What a month may cost before somebody hears of it. Of the whole account: by tag it would stay at zero until somebody switches
 * the tag on for billing, and a budget that never speaks is worse than one that speaks too early.
 */
export class Budget extends Construct {
  constructor(scope: Construct, id: string, config: Config, monthlyUsd: number, topic: SnsTopic) {
    super(scope, id)
    const notification = (notificationType: 'ACTUAL' | 'FORECASTED', threshold: number) => ({
      notificationType,
      threshold,
      thresholdType: 'PERCENTAGE',
      comparisonOperator: 'GREATER_THAN',
      subscriberSnsTopicArns: [topic.arn],
    })
    new BudgetsBudget(this, 'monthly', {
      name: `${config.installation}-${config.region}-account`,
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      limitAmount: String(monthlyUsd),
      limitUnit: 'USD',
      notification: [
        notification('ACTUAL', 80),
        notification('ACTUAL', 100),
        notification('FORECASTED', 100),
      ],
    })
  }
}
