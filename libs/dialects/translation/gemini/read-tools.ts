import type { Fields } from '../fields.js';
import type { Tool } from '../request-model.js';
import { schemaOfGemini } from './schema.js';

/** Functions are read; Google's own tools (search, code execution …) run at Google only and are listed as dropped. */
export function readTools(fields: Fields): Tool[] {
  const tools: Tool[] = [];
  for (const entry of fields.objects('tools')) {
    for (const fn of entry.objects('functionDeclarations')) tools.push(readFunction(fn));
    entry.rest();
  }
  return tools;
}

function readFunction(fn: Fields): Tool {
  const own = fn.jsonObject('parameters');
  const schema =
    fn.jsonObject('parametersJsonSchema') ?? (own === null ? null : schemaOfGemini(own, fn.place('parameters')));
  const tool: Tool = {
    name: fn.requiredString('name'),
    description: fn.string('description'),
    schema,
    isStrict: null,
    custom: null,
    cache: null,
    at: fn.at,
  };
  fn.rest();
  return tool;
}
