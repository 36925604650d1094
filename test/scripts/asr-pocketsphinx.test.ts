import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parseWords } from '../../scripts/asr-pocketsphinx.ts'

describe('what pocketsphinx prints', () => {
  test('words with times, whatever stands between them', () => {
    const printed = `this is it's
<s> 0.890 1.000 0.999600
this(2) 1.010 1.260 0.955419
[SPEECH] 1.270 1.300 0.9
<sil> 1.300 1.310 0.998401
++BREATH++ 1.310 1.320 0.5
it's 1.320 1.570 1.000100
</s> 2.770 3.230 1.000000
`
    expect(parseWords(printed)).toEqual([
      { text: 'this', startS: 1.01, endS: 1.26, confidence: 0.955419 },
      { text: "it's", startS: 1.32, endS: 1.57, confidence: 1 },
    ])
  })

  test('nothing heard, no words', () => expect(parseWords('\n')).toEqual([]))
})

describe('as a program', () => {
  const run = (env: Record<string, string>, ...args: string[]) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', 'scripts/asr-pocketsphinx.ts', ...args], {
      env,
    })

  test.each([
    ['without a file', {}, [], /audio file is missing/],
    ['in another language', { ASR_LANGUAGE: 'de-DE' }, ['a.wav'], /English only, not of de-DE/],
    ['without pocketsphinx', { PATH: '/nonexistent' }, ['a.wav'], /apt-get install pocketsphinx/],
  ])('%s it ends with 1 and a sentence', async (_, env, args, message) => {
    await expect(run(env, ...args)).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(message),
    })
  })
})
