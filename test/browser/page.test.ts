import { existsSync } from 'node:fs'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { acceptedJob, startTestHttp, statusAt, type TestHttp } from '../support/http.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { until } from '../support/wait.ts'
import { publish, seed } from './seed.ts'

const executablePath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
  (path) => path !== undefined && existsSync(path),
)

let aws: TestAws
let http: TestHttp
let browser: Browser
let page: Page
/** What a page must never do: break, be refused by its own policy, or call anybody else. */
let complaints: string[]

beforeAll(async () => {
  if (executablePath === undefined) throw new Error('No Chromium: install one, or set CHROMIUM_PATH')
  aws = await startTestAws()
  http = await startTestHttp(aws)
  await seed(aws, http)
  browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
})
afterAll(async () => {
  await browser.close()
  await http.close()
  await aws.close()
})

beforeEach(async () => {
  page = await openPage()
})
afterEach(async () => {
  await page.close()
  expect(complaints).toEqual([])
})

async function openPage(options: Parameters<Browser['newPage']>[0] = {}): Promise<Page> {
  const opened = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options })
  complaints = []
  opened.on('pageerror', (error) => complaints.push(error.message))
  opened.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  opened.on('request', (request) => {
    const { origin } = new URL(request.url())
    if (origin !== new URL(http.url).origin && origin !== aws.endpoint && origin !== 'null')
      complaints.push(`a request to ${origin}`)
  })
  return opened
}

const goTo = (path: string) => page.goto(`${http.url}/${path}`)
const row = (jobId: string) =>
  page.locator('tbody tr', { has: page.getByRole('link', { name: jobId, exact: true }) })
const record = async (jobId: string): Promise<Record<string, unknown> | undefined> => {
  const { Item } = await aws
    .clients()
    .documents.send(new GetCommand({ TableName: 'jobs', Key: { jobId }, ConsistentRead: true }))
  return Item
}

describe('the list', () => {
  test('shows phases with counts, limits, what needs a person, and each job with why', async () => {
    await goTo('')
    const running = row('transcode-wedding-3f2a9c01d2e4b5a6')
    await running.waitFor()
    expect(await running.textContent()).toMatch(
      /Running[\s\S]*Attempt 2 runs: encode, 43 %[\s\S]*43 %[\s\S]*2 \/ 3[\s\S]*started 1 min ago/,
    )
    expect(await page.getByRole('navigation', { name: 'Phases' }).textContent()).toMatch(
      /All\s*15\s*Submitted\s*1\s*Pending\s*6/,
    )
    expect(await page.locator('.limits').textContent()).toMatch(/vCPU\s*6 of 6, 0 free/)
    expect(await page.locator('.costs p').allTextContents()).toEqual([
      'Cost, estimatedtoday $1.24last 7 days $4.24',
      'Queue defaulttoday $1.23last 7 days $4.23',
      'Queue batchtoday $0.0042last 7 days $0.0042',
    ])
    expect(await page.getByRole('region', { name: 'Needs a person' }).textContent()).toContain('archive-2019')
    expect(await page.locator('tbody tr').count()).toBe(17)
    const time = running.locator('time')
    expect(await time.getAttribute('title')).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
  })

  test('filters by phase, kind and queue, and the address keeps the filter', async () => {
    await goTo('')
    await page
      .getByRole('navigation', { name: 'Phases' })
      .getByRole('link', { name: /Running/ })
      .click()
    await until('three rows', async () => (await page.locator('tbody tr').count()) === 3)
    await page.locator('select[name=kind]').selectOption('container')
    await until('one row', async () => (await page.locator('tbody tr').count()) === 1)
    expect(page.url()).toContain('#/?phase=Running&kind=container')
    await page.reload()
    await row('nightly-report-2026-11-22').waitFor()
    await page.locator('select[name=queue]').selectOption('batch')
    await page.getByText('No job is like this.').waitFor()
    await page.getByRole('link', { name: 'Show everything' }).click()
    await row('archive-2019').waitFor()
  })

  test('refreshes itself, and not while it is paused', async () => {
    await http.put(acceptedJob({ jobId: 'moving', phase: 'Running', createdAt: '2026-01-01T00:00:00Z' }))
    await goTo('')
    await row('moving').getByText('Running', { exact: true }).waitFor()
    await http.put(acceptedJob({ jobId: 'moving', phase: 'Stopping', createdAt: '2026-01-01T00:00:00Z' }))
    await row('moving').getByText('Stopping', { exact: true }).waitFor({ timeout: 4000 })
    await page.getByRole('button', { name: 'Pause' }).click()
    await http.put(
      acceptedJob({ jobId: 'moving', phase: 'Succeeded', reason: 'Done', createdAt: '2026-01-01T00:00:00Z' }),
    )
    await page.waitForTimeout(2600)
    expect(await row('moving').textContent()).toContain('Stopping')
    await page.getByRole('button', { name: 'Resume' }).click()
    await row('moving').getByText('Succeeded', { exact: true }).waitFor({ timeout: 2000 })
  })

  test('a refresh that changes nothing leaves what was there, so that a selection stays', async () => {
    await goTo('')
    await row('archive-2019').waitFor()
    await row('archive-2019').evaluate((element) => element.setAttribute('data-mine', 'yes'))
    await page.waitForTimeout(2600)
    expect(await row('archive-2019').getAttribute('data-mine')).toBe('yes')
  })

  test('shows more when asked', async () => {
    const many = await startTestAws()
    const server = await startTestHttp(many)
    for (let index = 0; index < 60; index += 1) await server.put(acceptedJob({ jobId: `many-${index}` }))
    await page.goto(server.url)
    await until('50 rows', async () => (await page.locator('tbody tr').count()) === 50)
    await page.getByRole('button', { name: 'Show more' }).click()
    await until('60 rows', async () => (await page.locator('tbody tr').count()) === 60)
    await server.close()
    await many.close()
    complaints = []
  })

  test('says so when no leader reports, or nobody answers', async () => {
    const other = await startTestAws()
    const server = await startTestHttp(other)
    await page.goto(server.url)
    await page.getByText('No controller has reported yet').waitFor()
    await page.getByText('There are no jobs yet.').waitFor()
    await server.publish(statusAt(Date.now() - 40_000))
    await page.getByText(/No controller has reported for 4\d s/).waitFor({ timeout: 5000 })
    await server.close()
    await page.getByText('The controller cannot be reached.').waitFor({ timeout: 5000 })
    await other.close()
    // The browser itself complains about answers that never came.
    complaints = complaints.filter((text) => !/Failed to load|request to/.test(text))
  })
})

describe('what stands in a record', () => {
  const hostile =
    '<img src=x onerror="document.title=\'broken in\'"><script>document.title="broken in"</script>'

  test('is text, whatever it is', async () => {
    await http.put({
      ...acceptedJob({ jobId: 'hostile', phase: 'Failed', reason: hostile.slice(0, 64), message: hostile }),
      kind: hostile,
      attempts: [
        {
          n: 1,
          launches: 1,
          runner: 'ecs',
          capacity: 'on-demand',
          taskDefinition: hostile,
          cpu: 256,
          memory: 512,
          launchedAt: '2026-11-22T10:00:00Z',
          outcome: { class: 'failed', reason: hostile },
        },
      ],
      history: [{ at: '2026-11-22T10:00:00Z', phase: 'Failed', reason: 'x', message: hostile }],
      result: { note: hostile },
      progress: { beat: 1, percent: 5, stage: hostile.slice(0, 64), at: '2026-11-22T10:00:00Z' },
    })
    for (const path of ['', '#/jobs/hostile']) {
      await goTo(path)
      await page.getByText(hostile).first().waitFor()
      expect(await page.locator('main img[src=x], main script').count()).toBe(0)
      expect(await page.title()).not.toBe('broken in')
    }
    await goTo('#/jobs/transcode-keynote-2026-d1f0/log/1')
    await page.getByText('<script>alert("a log line")</script>').waitFor()
  })

  test('may be of any form and breaks nothing', async () => {
    await http.put({
      jobId: 'odd',
      kind: 7,
      phase: 'Running',
      createdAt: 'yesterday',
      spec: 'text',
      attempts: 'none',
      history: 3,
      progress: 'much',
      settings: [],
      counts: null,
    })
    await goTo('')
    await row('odd').waitFor()
    await goTo('#/jobs/odd')
    await page.getByRole('heading', { name: 'odd' }).waitFor()
    await page.getByText('Everything').click()
    await page.getByText('"createdAt": "yesterday"').waitFor()
  })

  test('that is not there is said', async () => {
    await goTo('#/jobs/nobody')
    await page.getByText('There is no job nobody.').waitFor()
    complaints = complaints.filter((text) => !text.includes('404'))
  })
})

describe('a job', () => {
  test('shows wanted and seen, its timeline, and its attempts newest first', async () => {
    await goTo('#/jobs/transcode-wedding-3f2a9c01d2e4b5a6')
    const state = page.locator('.state')
    await state.getByText('Wanted').waitFor()
    expect(await state.textContent()).toMatch(
      /Wanted\s*Succeeded\s*Seen\s*Running[\s\S]*Reason\s*TaskRunning[\s\S]*Next look[\s\S]*at the latest in 1 d/,
    )
    expect(await page.locator('.timeline').textContent()).toMatch(
      /Submitted[\s\S]*Pending\s*Queued[\s\S]*Backoff by failurePolicy\[0\]: retry[\s\S]*Running\s*TaskRunning/,
    )
    const attempts = page.locator('table.attempts tbody tr')
    expect(await attempts.nth(0).textContent()).toMatch(/^2\s*under way/)
    expect(await attempts.nth(1).textContent()).toMatch(
      /^1\s*failed\s*75 EssentialContainerExited\s*1 min 25 s[\s\S]*\$0\.0023/,
    )
    expect(await state.textContent()).toMatch(/Cost\s*\$0\.0023/)
    expect(await page.title()).toBe('transcode-wedding-3f2a9c01d2e4b5a6')
  })

  test('that is a pipeline shows its steps, and leads to their children and back', async () => {
    await goTo('#/jobs/subtitles-talk-9c01')
    await page.getByRole('heading', { name: 'Steps' }).waitFor()
    await page.getByText(/Step 2 of 3, transcript: waits for subtitles-talk-9c01-transcription-1/).waitFor()
    expect(await page.locator('.state').textContent()).toMatch(/Cost\$0\.0007/)
    expect(await page.getByRole('row').filter({ hasText: 'extract-audio' }).textContent()).toMatch(
      /succeeded/,
    )
    await page.getByRole('link', { name: 'subtitles-talk-9c01-transcription-1' }).click()
    await page.getByText('a step of').getByRole('link', { name: 'subtitles-talk-9c01' }).click()
    await page.getByRole('heading', { name: 'Steps' }).waitFor()
  })

  test('leads to the log of an attempt, which is followed', async () => {
    await goTo('#/jobs/transcode-wedding-3f2a9c01d2e4b5a6')
    await page.locator('table.attempts tbody tr').nth(1).getByRole('link', { name: 'Log' }).click()
    const log = page.locator('.log')
    await log.getByText('an upload was tried again').waitFor()
    expect(await log.locator('li').first().textContent()).toMatch(/^\d\d:\d\d:\d\d\s*claimed$/)
    const file = join(aws.configuration.LOCAL_DATA_DIR, 'ecs/logs/task/worker/first.log')
    await writeFile(file, 'a line written just now\n', { flag: 'a' })
    await log.getByText('a line written just now').waitFor({ timeout: 5000 })
    expect(await log.getByText('an upload was tried again').count()).toBe(1)
  })

  test('that has succeeded shows its poster and links to what it made', async () => {
    await goTo('#/jobs/transcode-keynote-2026-d1f0')
    const poster = page.locator('img.poster')
    await poster.waitFor()
    await until('the picture', () =>
      page.evaluate<boolean>('document.querySelector("img.poster").naturalWidth > 0'),
    )
    const files = page.locator('table.files tbody tr')
    expect(await files.first().textContent()).toMatch(/^master\.m3u8\s*master/)
    const href = await files.first().getByRole('link').getAttribute('href')
    expect(await (await fetch(href ?? '')).text()).toBe('#EXTM3U')
    await page.getByRole('button', { name: 'Show more of 59' }).click()
    await until('40 files', async () => (await files.count()) === 40)
    const source = await poster.getAttribute('src')
    await page.waitForTimeout(2600)
    expect(await poster.getAttribute('src')).toBe(source)
    expect(await files.count()).toBe(40)
  })

  test('that was split shows its steps and how many of them are over, and no attempts of the task that found it long', async () => {
    const nowMs = Date.now()
    await http.put(
      acceptedJob(
        {
          jobId: 'long-film',
          phase: 'Running',
          reason: 'WaitingForChildren',
          createdAt: '2026-01-01T00:00:00Z',
          progress: { beat: 1, percent: 99, stage: 'start', at: '2026-01-01T00:00:10Z' },
          pipeline: {
            split: { shards: 2 },
            steps: [
              {
                name: 'encode',
                begunAt: new Date(nowMs - 120_000).toISOString(),
                children: [
                  { jobId: 'long-film-encode-shard-0', kind: 'encode-shard', state: 'succeeded' },
                  { jobId: 'long-film-encode-shard-1', kind: 'encode-shard', state: 'put' },
                ],
              },
            ],
          },
        },
        nowMs - 130_000,
      ),
    )
    await goTo('#/jobs/long-film')
    await page.getByRole('link', { name: 'long-film-encode-shard-1' }).waitFor()
    expect(await page.locator('.job-progress').textContent()).toMatch(
      /^33 %encode, about 4 min( \d+ s)? left$/,
    )
    expect(await page.locator('.state').textContent()).toMatch(/Attempts–/)
    await goTo('')
    await row('long-film').waitFor()
    expect(await row('long-film').locator('.c-progress').textContent()).toBe('33 %encode')
    expect(await row('long-film').locator('.c-attempts').textContent()).toBe('')
  })

  test('of the user’s own container shows the files whose manifest it wrote', async () => {
    const jobId = 'report-with-files'
    await http.put(acceptedJob({ jobId, kind: 'container', phase: 'Succeeded', reason: 'Done' }))
    await publish(aws, jobId, '2026-11-22T10:00:00Z')
    await goTo(`#/jobs/${jobId}`)
    await page.getByRole('link', { name: 'master.m3u8' }).waitFor()
  })

  test('that records says before a cancel that the recording is kept', async () => {
    await http.put(acceptedJob({ jobId: 'show', kind: 'record', phase: 'Running' }))
    await goTo('#/jobs/show')
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page
      .getByRole('dialog', { name: 'Cancel show?' })
      .getByText('It ends here, and what was recorded is kept.')
      .waitFor()
  })

  test('that never had an attempt has none, and once it has ended there are none to come', async () => {
    await http.put(acceptedJob({ jobId: 'refused', phase: 'Failed', reason: 'InvalidSpec' }))
    await goTo('#/jobs/refused')
    await page.getByText('None.', { exact: true }).waitFor()
  })

  test('has the buttons of its state, and cancel asks first', async () => {
    await http.put(acceptedJob({ jobId: 'buttons', phase: 'Running' }))
    await goTo('#/jobs/buttons')
    const names = () => page.locator('.job-head button').allInnerTexts()
    await until('buttons', async () => (await names()).length === 2)
    expect(await names()).toEqual(['Suspend', 'Cancel'])
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page
      .getByRole('dialog', { name: 'Cancel buttons?' })
      .getByRole('button', { name: 'Keep it' })
      .click()
    expect((await record('buttons'))?.spec).not.toHaveProperty('cancel')
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.keyboard.press('Escape')
    expect((await record('buttons'))?.spec).not.toHaveProperty('cancel')
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.getByRole('button', { name: 'Cancel the job' }).click()
    await until(
      'the wish',
      async () => (await record('buttons'))?.spec && (await names()).includes('Cancel asked'),
    )
    expect(await record('buttons')).toMatchObject({ spec: { cancel: true } })
    expect(http.woken).toContain('buttons')
    expect(await page.locator('.state').textContent()).toMatch(/Wanted\s*Cancelled/)
  })

  test('is suspended, resumed and run again', async () => {
    await http.put(acceptedJob({ jobId: 'switching' }))
    await goTo('#/jobs/switching')
    await page.getByRole('button', { name: 'Suspend' }).click()
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.getByRole('button', { name: 'Suspend' }).waitFor()
    expect((await record('switching'))?.spec).not.toHaveProperty('suspend')
    await http.put(acceptedJob({ jobId: 'switching', phase: 'Failed', reason: 'AttemptsExhausted' }))
    await page.getByRole('button', { name: 'Run again' }).click()
    await until('Submitted', async () => (await record('switching'))?.phase === 'Submitted')
  })

  test('that changed meanwhile says why it refuses', async () => {
    await http.put(acceptedJob({ jobId: 'late', phase: 'Running' }))
    await goTo('#/jobs/late')
    await page.getByRole('button', { name: 'Suspend' }).waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await http.put(acceptedJob({ jobId: 'late', phase: 'Succeeded', reason: 'Done' }))
    await page.getByRole('button', { name: 'Suspend' }).click()
    await page.getByText('Job late is Succeeded, and suspend is for jobs that are not finished.').waitFor()
    complaints = complaints.filter((text) => !text.includes('409'))
  })
})

describe('an upload', () => {
  test('goes straight to S3 and becomes a job', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'page-test-'))
    const file = join(folder, 'Our film.mp4')
    await writeFile(file, 'x'.repeat(300_000))
    await goTo('#/upload')
    expect(await page.getByRole('button', { name: 'Upload' }).isDisabled()).toBe(true)
    await page.locator('input[type=file]').setInputFiles(file)
    await page.getByText('Our film.mp4 (300 kB)').waitFor()
    await page.getByRole('button', { name: 'Upload' }).click()
    await page.waitForURL(/#\/jobs\/transcode-Our-film-/)
    const jobId = decodeURIComponent(page.url().split('/').at(-1) ?? '')
    await page.getByRole('heading', { name: jobId }).waitFor()
    expect(await record(jobId)).toMatchObject({ phase: 'Submitted', kind: 'transcode' })
    await rm(folder, { recursive: true })
  })

  test('that no kind takes is refused with its rule', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'page-test-'))
    const file = join(folder, 'notes.txt')
    await writeFile(file, 'x')
    await goTo('#/upload')
    await page.locator('input[type=file]').setInputFiles(file)
    await page.getByRole('button', { name: 'Upload' }).click()
    await page.getByText('must end in .mp4, .mov').waitFor()
    await rm(folder, { recursive: true })
    complaints = complaints.filter((text) => !text.includes('400'))
  })

  test('that S3 takes only in parts is refused before anything of it is sent', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'page-test-'))
    const file = join(folder, 'long.mp4')
    await writeFile(file, '')
    await truncate(file, 5 * 1024 ** 3 + 1)
    let sent = 0
    page.on('request', (request) => {
      if (request.method() === 'PUT') sent += 1
    })
    await goTo('#/upload')
    await page.locator('input[type=file]').setInputFiles(file)
    await page.getByRole('button', { name: 'Upload' }).click()
    await page.getByText('aws s3 cp').waitFor()
    expect(sent).toBe(0)
    await rm(folder, { recursive: true })
    complaints = complaints.filter((text) => !text.includes('400'))
  })
})

describe('a stream', () => {
  test('is recorded by its address', async () => {
    await goTo('#/upload')
    expect(await page.getByRole('button', { name: 'Record' }).isDisabled()).toBe(true)
    await page.getByLabel('Or record a stream').fill('https://radio.example.com/live.m3u8')
    await page.getByRole('button', { name: 'Record' }).click()
    await page.waitForURL(/#\/jobs\//)
    const jobId = decodeURIComponent(page.url().split('/').at(-1) ?? '')
    await page.getByRole('heading', { name: jobId }).waitFor()
    expect(await record(jobId)).toMatchObject({
      kind: 'record',
      spec: { input: { url: 'https://radio.example.com/live.m3u8' } },
    })
  })

  test('of a kind that is not recorded is refused with its rule', async () => {
    await goTo('#/upload')
    await page.getByLabel('Or record a stream').fill('ftp://example.com/a.mp4')
    await page.getByRole('button', { name: 'Record' }).click()
    await page.locator('.wrong').filter({ hasText: 'rtmp' }).waitFor()
    complaints = complaints.filter((text) => !text.includes('400'))
  })
})

describe('the page', () => {
  test.for([
    [320, 'light'],
    [390, 'dark'],
    [768, 'light'],
    [1100, 'dark'],
    [1920, 'light'],
  ] as const)('fits into %i pixels, %s', async ([width, colorScheme]) => {
    await page.close()
    page = await openPage({ viewport: { width, height: 900 }, colorScheme })
    for (const path of [
      '',
      '#/jobs/transcode-wedding-3f2a9c01d2e4b5a6',
      '#/jobs/transcode-keynote-2026-d1f0',
      '#/jobs/transcode-keynote-2026-d1f0/log/1',
      '#/upload',
    ]) {
      await goTo(path)
      await page.locator('main > *').waitFor()
      await page.waitForTimeout(300)
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    }
    const brightness = async (property: string): Promise<number> =>
      Number(/\d+/.exec(String(await page.evaluate(`getComputedStyle(document.body).${property}`)))?.[0])
    const [ground, text] = [await brightness('backgroundColor'), await brightness('color')]
    expect(ground > text).toBe(colorScheme === 'light')
  })

  test('asks for the token where there is one, and keeps it for this tab only', async () => {
    const token = 'the-token-for-reading'
    const closed = await startTestHttp(aws, { tokens: { all: 'the-token-for-everything', read: token } })
    await page.goto(closed.url)
    const input = page.getByLabel('API_TOKEN, or API_READ_TOKEN to look only')
    await input.fill('a-wrong-token-of-mine')
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByText('That token is not valid.').waitFor()
    await input.fill(token)
    await page.getByRole('button', { name: 'Go on' }).click()
    await row('archive-2019').waitFor()
    await page.reload()
    await row('archive-2019').waitFor()
    expect(page.url()).not.toContain(token)
    await page.goto(`${closed.url}/#/jobs/archive-2019`)
    await page.getByRole('button', { name: 'Resume' }).last().click()
    await page.getByText('The token is for reading only.').waitFor()
    await page.getByText(/^Controller/).click()
    await page.getByRole('button', { name: 'Forget the token' }).click()
    await input.waitFor()
    await closed.close()
    complaints = complaints.filter((text) => !/40[13]|request to http:\/\/127/.test(text))
  })
})
