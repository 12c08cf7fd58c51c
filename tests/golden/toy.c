/* The toy machine of tests/ir, here for its registers. */
#include "tests/ir/toy.c"
