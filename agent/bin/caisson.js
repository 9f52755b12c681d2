#!/usr/bin/env node
require('../bundle/cli.js');
