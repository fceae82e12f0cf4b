import type { Rule } from 'eslint';
import ts from 'typescript';

type Member = Parameters<NonNullable<Rule.RuleListener['MemberExpression']>>[0];

/** What the parser of typescript-eslint offers with type information. */
type ParserServices = {
  readonly program: ts.Program;
  readonly getTypeAtLocation: (node: Member['object' | 'property']) => ts.Type;
};

/**
 * Finds look-ups of a word in an object that is used as a dictionary: `record[word]` and `word in record`, where the type of
 * the word is any string. Words such as `constructor` or `__proto__`, which a stranger may choose, find what
 * `Object.prototype` has. `ownValue` of `src/lib/record.ts`, a Map or `Object.entries` do not.
 */
export const ownLookup: Rule.RuleModule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      lookup: 'this finds members of Object.prototype, too: use ownValue of lib/record.ts, or a Map',
    },
  },
  create(context) {
    const services = context.sourceCode.parserServices as ParserServices;
    const checker = services.program.getTypeChecker();
    const check = (node: Rule.Node, object: Member['object'], key: Member['property']): void => {
      if (!isAnyString(services.getTypeAtLocation(key))) return;
      if (isDictionary(checker, services.getTypeAtLocation(object)))
        context.report({ node, messageId: 'lookup' });
    };
    return {
      MemberExpression(node) {
        if (node.computed) check(node, node.object, node.property);
      },
      BinaryExpression(node) {
        if (node.operator === 'in') check(node, node.right, node.left);
      },
    };
  },
};

/** Whether `type` has strings that are not known when it is compiled. */
function isAnyString(type: ts.Type): boolean {
  if (type.isUnion()) return type.types.some(isAnyString);
  const bound = type.isTypeParameter() ? type.getConstraint() : undefined;
  if (bound !== undefined) return isAnyString(bound);
  return (type.flags & (ts.TypeFlags.String | ts.TypeFlags.TemplateLiteral | ts.TypeFlags.Any)) !== 0;
}

/** Whether `type` has an index signature for strings. */
function isDictionary(checker: ts.TypeChecker, type: ts.Type): boolean {
  if (type.isUnion()) return type.types.some((each) => isDictionary(checker, each));
  return checker.getIndexInfoOfType(checker.getApparentType(type), ts.IndexKind.String) !== undefined;
}
