// The one executable of adtally: `adtally all`, `adtally collector`, `adtally replay`, …
#include <exception>
#include <iostream>

#include "app/command_line.hpp"

int main(int argc, char** argv) {
    try {
        return adtally::app::run(argc, argv);
    } catch (const std::exception& error) {
        // A broken environment at start: one line with the remedy, no stack.
        std::cerr << "adtally: " << error.what() << "\n";
        return 1;
    }
}
