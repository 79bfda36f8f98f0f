#!/usr/bin/env -S deno run -RW
