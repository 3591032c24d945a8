/**
 * What the reference pages must have besides what typedoc asks for itself: an example of every function and class (check-pack runs
 * them), and what each call with arguments throws.
 */
import { Application, ReflectionKind } from 'typedoc';

export function load(app) {
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    const lacks = (reflection, tag) => {
      app.logger.validationWarning(`${reflection.getFriendlyFullName()} has no ${tag}`);
    };
    const has = ({ comment }, tag) => comment?.getTag(tag) !== undefined;
    for (const each of project.getReflectionsByKind(ReflectionKind.Class)) {
      if (!has(each, '@example')) lacks(each, '@example');
    }
    for (const each of project.getReflectionsByKind(ReflectionKind.Function)) {
      if (!each.signatures.some((signature) => has(signature, '@example'))) lacks(each, '@example');
    }
    for (const each of project.getReflectionsByKind(ReflectionKind.FunctionOrMethod)) {
      // Of a class that users are given; an interface is theirs to fill.
      if (each.parent?.kindOf(ReflectionKind.Interface)) continue;
      for (const signature of each.signatures ?? []) {
        if (signature.parameters?.length > 0 && !has(signature, '@throws')) lacks(signature, '@throws');
      }
    }
  });
}
