import { uploadTalk } from '../demo-talk.ts'
import type { Demo } from './demo.ts'

export const demo: Demo = {
  start: (stage) => uploadTalk(stage, 'analyze'),
  hint: '(read summary.md)',
}
