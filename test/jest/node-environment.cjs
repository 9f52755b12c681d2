const { TestEnvironment } = require('jest-environment-node');

/**
 * Jest runs each test file in a realm of its own, so an error made by Node's core is no `instanceof Error`
 * there. One set of error classes for both keeps the code under test as it is in production.
 */
module.exports = class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const name of ['Error', 'TypeError', 'RangeError', 'SyntaxError', 'AggregateError']) {
      Object.setPrototypeOf(this.global[name].prototype, globalThis[name].prototype);
      this.global[name] = globalThis[name];
    }
  }
};
