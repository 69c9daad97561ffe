// Is this text a value that the setting allows? Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "platform/config/settings.hpp"

namespace adtally::config {

// `integer from 1 to 60000 ms`: what stands behind "allowed" in a message and in the table.
std::string allowed(const Setting& setting);

// The value in its one form: booleans become true or false (yes, no, on, off are taken, as Spring's
// YAML takes them), numbers stay as written. The error names what is wrong and what is allowed, and
// never the value of a secret.
Result<std::string> check_scalar(const Setting& setting, std::string_view text);

// Only for text_list.
Result<std::vector<std::string>> check_list(const Setting& setting,
                                            const std::vector<std::string>& items);

// `a, b,c` → a b c; blanks around an item and empty items are dropped.
std::vector<std::string> split_list(std::string_view text);

}  // namespace adtally::config
