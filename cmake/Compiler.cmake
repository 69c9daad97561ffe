# One language level, one set of warnings, all of them errors.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(THREADS_PREFER_PTHREAD_FLAG ON)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wswitch -Werror
                    -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 warns falsely here when Boost and std::string are inlined together.
    add_compile_options(-Wno-error=restrict -Wno-restrict -Wno-maybe-uninitialized
                        -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(ADTALLY_SANITIZE)
    add_compile_options(-fsanitize=${ADTALLY_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${ADTALLY_SANITIZE})
endif()
if(ADTALLY_SANITIZE STREQUAL "thread")
    # g++ 12 says that fences are not seen by TSan; Asio uses one and is right without it.
    add_compile_options(-Wno-tsan)
endif()

if(ADTALLY_FUZZ)
    # Coverage of the libraries too: it is what leads libFuzzer to new inputs.
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(ADTALLY_CCACHE ccache)
if(ADTALLY_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${ADTALLY_CCACHE})
endif()
find_program(ADTALLY_MOLD mold)
if(ADTALLY_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_link_options(-fuse-ld=mold)
endif()
