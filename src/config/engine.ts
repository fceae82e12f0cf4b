/** How the relay moves bytes: by system calls, or by `node:net` and `node:dgram`. */
export type EngineName = 'kernel' | 'node';

/** Which engine a relay is to use; `auto` = the kernel's if it works there. */
export type EngineChoice = 'auto' | EngineName;

/** Every choice of engine. */
export const engineChoices: readonly EngineChoice[] = ['auto', 'kernel', 'node'];

/** `word` as a choice of engine. @returns what is wrong with it, if it is none. */
export function parseEngineChoice(word: string): EngineChoice | { readonly fault: string } {
  const fault = `"${word}" is not an engine: use ${engineChoices.join(', ')}`;
  return engineChoices.find((each) => each === word) ?? { fault };
}
