// Bits of a code, for what formats of four and of five bits share. A module has the
// formats of one of them: in the core's this is a constant, and what it decides is gone.

let five: bool = false;

// Called once, when a module of five bits starts.
export function takeFiveBits(): void { five = true; }

@inline export function isFive(): bool { return five; }
