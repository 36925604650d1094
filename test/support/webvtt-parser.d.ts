declare module 'webvtt-parser' {
  export type ParsedCue = { id: string; startTime: number; endTime: number; text: string; tree: unknown }
  export class WebVTTParser {
    parse(
      input: string,
      mode: 'subtitles' | 'captions' | 'chapters' | 'metadata',
    ): { cues: ParsedCue[]; errors: { message: string; line: number; col?: number }[]; time: number }
  }
}
