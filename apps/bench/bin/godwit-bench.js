#!/usr/bin/env node
// Stands beside dist/ because npm links a command at install time, when nothing is built yet.
await import('../dist/cli.js');
