# A folder is one library. Sources are told apart by their ending:
#   x.cpp        the library              x_test.cpp   the folder's unit tests, one executable
#   x_bench.cpp  a Google Benchmark       x_fuzz.cpp   a libFuzzer target of its own
#   fakes/*.hpp, test_support.hpp are for tests only.
#
#   adtally_folder(domain DEPS base PACKAGES simdjson::simdjson)
#
# DEPS are other folders of ours (public), PACKAGES third-party targets (private).
# PUBLIC_PACKAGES is for the few whose names stand in a header.
#
# The target unit_tests builds every folder's tests (`ctest` runs them), fuzzers the fuzz targets.
add_custom_target(unit_tests)
add_custom_target(fuzzers)

function(adtally_folder name)
    cmake_parse_arguments(ARG "" "" "DEPS;PACKAGES;PUBLIC_PACKAGES;TEST_PACKAGES" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS *.cpp)
    set(tests ${sources})
    set(benches ${sources})
    set(fuzzers ${sources})
    list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
    list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
    list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
    list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz)\\.cpp$")

    if(sources)
        add_library(${name} STATIC ${sources})
        target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
        target_link_libraries(${name} PUBLIC ${ARG_DEPS} ${ARG_PUBLIC_PACKAGES}
                                             Boost::headers Threads::Threads
                              PRIVATE ${ARG_PACKAGES})
    else()
        add_library(${name} INTERFACE)
        target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
        target_link_libraries(${name} INTERFACE ${ARG_DEPS} ${ARG_PUBLIC_PACKAGES}
                                                Boost::headers Threads::Threads)
    endif()

    if(tests AND NOT ADTALLY_FUZZ)
        add_executable(${name}_test ${tests})
        target_link_libraries(${name}_test PRIVATE ${name} ${ARG_PACKAGES} ${ARG_TEST_PACKAGES}
                                                   GTest::gmock GTest::gtest_main)
        add_dependencies(unit_tests ${name}_test)
        add_test(NAME ${name} COMMAND ${name}_test
                 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    endif()
    if(benches AND ADTALLY_BENCH AND NOT ADTALLY_FUZZ)
        add_executable(${name}_bench ${benches})
        target_link_libraries(${name}_bench PRIVATE ${name} ${ARG_PACKAGES} ${ARG_TEST_PACKAGES}
                                                    benchmark::benchmark_main)
    endif()
    if(fuzzers AND ADTALLY_FUZZ)
        foreach(source ${fuzzers})
            get_filename_component(target ${source} NAME_WE)
            add_executable(${target} ${source})
            target_link_libraries(${target} PRIVATE ${name} ${ARG_PACKAGES})
            target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
            target_link_options(${target} PRIVATE -fsanitize=fuzzer)
            add_dependencies(fuzzers ${target})
        endforeach()
    endif()
endfunction()
