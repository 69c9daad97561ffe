// The command line: argv becomes one of a few plain structs, and one switch runs it.
#pragma once

namespace adtally::app {

// Exit code: 0 done, 1 the environment is broken (one line on stderr), 2 wrong usage.
int run(int argc, char** argv);

}  // namespace adtally::app
