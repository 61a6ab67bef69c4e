import { json, sse, type Behaviour } from '#test/fakes/upstream/behaviour.js';
import type { RecordedRequest } from '#test/fakes/upstream/recorded-request.js';

/** What the models of the command-line checks say: `…-plain` greets, `…-tool` asks for a shell command and repeats its output. */
const GREETING = 'Hello from the fake model';
const COMMAND = 'echo smartflow-proof';

type Json = Record<string, unknown>;

/** Answers of the upstream behind Claude Code (Messages) and Codex (Responses). */
export function scriptedModel(request: RecordedRequest): Behaviour {
  const body = request.json() as Json;
  if (request.target.startsWith('/v1/messages/count_tokens')) return json({ input_tokens: 10 });
  const wantsTool = String(body.model).endsWith('-tool');
  return request.target.startsWith('/v1/responses') ? respond(body, wantsTool) : message(body, wantsTool);
}

function message(body: Json, wantsTool: boolean): Behaviour {
  const output = lastToolResult(body);
  const hasBash = (body.tools as Json[] | undefined)?.some((tool) => tool.name === 'Bash') ?? false;
  const usage = { input_tokens: 10, output_tokens: 5 };
  const start = {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: body.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage,
    },
  };
  const calls = wantsTool && hasBash && output === null;
  const block = calls ? { type: 'tool_use', id: 'toolu_1', name: 'Bash', input: {} } : { type: 'text', text: '' };
  const delta = calls
    ? { type: 'input_json_delta', partial_json: JSON.stringify({ command: COMMAND, description: 'prove it' }) }
    : { type: 'text_delta', text: output === null ? GREETING : `tool said: ${output}` };
  const events = [
    start,
    { type: 'content_block_start', index: 0, content_block: block },
    { type: 'content_block_delta', index: 0, delta },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: calls ? 'tool_use' : 'end_turn', stop_sequence: null }, usage },
    { type: 'message_stop' },
  ];
  return sse(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`));
}

function lastToolResult(body: Json): string | null {
  for (const turn of [...(body.messages as Json[])].reverse()) {
    if (!Array.isArray(turn.content)) continue;
    const result = (turn.content as Json[]).find((block) => block.type === 'tool_result');
    if (result !== undefined) return textOf(result.content);
  }
  return null;
}

function textOf(content: unknown): string {
  return typeof content === 'string' ? content : (content as Json[]).map((part) => String(part.text ?? '')).join('');
}

/** Codex offers its shell under different names and shapes by version: the first tool that takes a command is it. */
function shellCall(tools: readonly Json[]): { readonly name: string; readonly arguments: string } | null {
  for (const tool of tools) {
    const properties = (tool.parameters as Json | undefined)?.properties as Json | undefined;
    if (tool.type !== 'function' || properties === undefined) continue;
    if ('cmd' in properties) return { name: String(tool.name), arguments: JSON.stringify({ cmd: COMMAND }) };
    if ('command' in properties) {
      const isList = (properties.command as Json).type === 'array';
      return {
        name: String(tool.name),
        arguments: JSON.stringify({ command: isList ? ['bash', '-lc', COMMAND] : COMMAND }),
      };
    }
  }
  return null;
}

function respond(body: Json, wantsTool: boolean): Behaviour {
  const input = Array.isArray(body.input) ? (body.input as Json[]) : [];
  const output = input.findLast((item) => item.type === 'function_call_output');
  const call = wantsTool && output === undefined ? shellCall((body.tools as Json[] | undefined) ?? []) : null;
  const item =
    call === null
      ? {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [
            {
              type: 'output_text',
              annotations: [],
              text: output === undefined ? GREETING : `tool said: ${textOf(output.output)}`,
            },
          ],
        }
      : { id: 'fc_1', type: 'function_call', status: 'completed', call_id: 'call_1', ...call };
  const response = {
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    status: 'in_progress',
    model: body.model,
    output: [] as object[],
  };
  const usage = {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 15,
  };
  const events = [
    { type: 'response.created', response },
    { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress' } },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: { ...response, status: 'completed', output: [item], usage } },
  ];
  return sse(
    events.map(
      (event, sequence_number) => `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number })}\n\n`,
    ),
  );
}
