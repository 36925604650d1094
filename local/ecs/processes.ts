import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname } from 'node:path'
import type { Clock } from './clock.ts'
import type { Program } from './environment.ts'
import type { StartOutcome } from './lifecycle.ts'
import { processMark } from './proc.ts'

export type Exit = { exitCode: number; reason?: string }
export type Processes = {
  /** Starts a container's program in a process group of its own; output goes to the end of `logPath`. */
  start(name: string, program: Program, logPath: string, onExit: (exit: Exit) => void): StartOutcome
  /** The stop signal to the main process only, SIGKILL to the whole group when it is still there after `timeoutMs`. */
  stop(name: string, timeoutMs: number): void
  /** A signal to the whole group; `reason` becomes the container's if it ends by it. */
  signalGroup(name: string, signal: NodeJS.Signals, reason?: string): boolean
  /** The process groups that live, by container. */
  groups(): ReadonlyMap<string, number>
  /** The stop signal to all, SIGKILL after `graceMs` of real time; resolves when no container runs any more. */
  stopAll(graceMs: number): Promise<void>
}

type Running = {
  child: ChildProcess
  pid: number
  stopSignal: NodeJS.Signals
  cancelKill?: () => void
  reason?: string
}

/** Containers as child processes. Names are unique: the runtime ids of containers. */
export function createProcesses(clock: Clock): Processes {
  const running = new Map<string, Running>()
  let onIdle = () => {}

  return {
    start: (name, program, logPath, onExit) => {
      const child = spawnInto(logPath, program)
      if ('failure' in child) return child
      // Whether a program can be started is known at once; its error event says no more than that, and comes later.
      child.on('error', () => undefined)
      const { pid } = child
      if (pid === undefined) {
        const why = `exec: "${program.command}": executable file not found in $PATH or not executable`
        return { failure: startError(why) }
      }
      const one: Running = { child, pid, stopSignal: program.stopSignal }
      running.set(name, one)
      child.on('exit', (code, signal) => {
        // With the main process of a container everything in it ends.
        killGroup(pid, 'SIGKILL')
        one.cancelKill?.()
        running.delete(name)
        const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
        onExit(one.reason === undefined ? { exitCode } : { exitCode, reason: one.reason })
        if (running.size === 0) onIdle()
      })
      return { pid, processMark: processMark(pid) ?? '' }
    },

    stop: (name, timeoutMs) => {
      const one = running.get(name)
      if (one === undefined || one.cancelKill) return
      one.cancelKill = clock.setTimer(timeoutMs, () => killGroup(one.pid, 'SIGKILL'))
      one.child.kill(one.stopSignal)
    },

    signalGroup: (name, signal, reason) => {
      const one = running.get(name)
      if (one === undefined) return false
      if (reason !== undefined) one.reason = reason
      return killGroup(one.pid, signal)
    },

    groups: () => new Map([...running].map(([name, { pid }]) => [name, pid])),

    stopAll: async (graceMs) => {
      if (running.size === 0) return
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve
      })
      for (const { child, stopSignal } of running.values()) child.kill(stopSignal)
      const timer = setTimeout(() => {
        for (const { pid } of running.values()) killGroup(pid, 'SIGKILL')
      }, graceMs)
      await idle
      clearTimeout(timer)
    },
  }
}

/** Signals a whole process group; false when there is nobody left in it. */
export function killGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-group, signal)
  } catch {
    return false
  }
}

function spawnInto(logPath: string, program: Program): ChildProcess | { failure: string } {
  let log: number | undefined
  try {
    mkdirSync(dirname(logPath), { recursive: true })
    log = openSync(logPath, 'a')
    // The working directory stays that of the local AWS: the worker's entry file is named relative to it.
    return spawn(program.command, program.args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: program.environment,
    })
  } catch (error) {
    return { failure: startError(String(error)) }
  } finally {
    if (log !== undefined) closeSync(log)
  }
}

const startError = (why: string): string =>
  `CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: ${why}`
