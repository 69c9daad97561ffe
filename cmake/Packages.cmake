# Every third-party library, in one place. All are Debian packages; `./dev` installs them.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(GTest REQUIRED)
find_package(simdjson REQUIRED)
find_package(RocksDB REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
if(ADTALLY_BENCH)
    find_package(benchmark REQUIRED)
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(rdkafka REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(liblz4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
# A record read from Kafka is allocated by one thread and freed by another, a batch at a time: glibc
# gives such memory back to the kernel and has it cleared anew each time (docs/BENCHMARKS.md).
find_library(ADTALLY_MALLOC tcmalloc_minimal REQUIRED)

# Header-only in how we use it; no separate compilation, no deprecated parts of Asio.
add_library(adtally_asio INTERFACE)
target_link_libraries(adtally_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(adtally_asio INTERFACE BOOST_ASIO_NO_DEPRECATED)
