#!/usr/bin/env node
import '../lib/ctl/main.js';
