// How dependency-cruiser finds sources: package.json maps `#libs/*` to dist/ (what Node runs); the rules are about libs/.
const path = require('node:path');

module.exports = {
  resolve: {
    alias: { '#libs': path.resolve('libs'), '#test': path.resolve('test') },
    extensions: ['.ts', '.js', '.mjs', '.json'],
    extensionAlias: { '.js': ['.ts', '.js'] },
  },
};
