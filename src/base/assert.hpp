// Assertions stay on in release builds: what only a bug can break must stop the process before it
// writes a wrong count. What the world can break is handled, never asserted.
#pragma once

namespace adtally {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace adtally

#define ADTALLY_ASSERT(expression)                        \
    (static_cast<bool>(expression) ? static_cast<void>(0) \
                                   : ::adtally::assertion_failed(#expression, __FILE__, __LINE__))
