#!/usr/bin/env python3
"""The SDK for providers as it is installed: a project of its own finds it and builds a provider."""

import os
import re
import shutil
import subprocess
import tempfile
import textwrap
import unittest

from host import FAST, ROOT, WEFT, environment

BUILD_SECONDS_MAX = 600

WIT = """package shop:words@1.0.0;
interface words { count: func(text: string) -> u32; }
"""

CMAKE = """cmake_minimum_required(VERSION 3.25)
project(words CXX)
find_package(weft-provider REQUIRED)
weft_provider_bindings(bindings WIT words.wit INTERFACE shop:words/words@1.0.0)
add_executable(words main.cc)
target_link_libraries(words PRIVATE bindings weft::provider)
"""

MAIN = """#include "weft/provider.h"
#include "wit/shop/words_1_0_0/words.h"

namespace words = weft::wit::shop::words_1_0_0::words;

class Words : public words::Host {
  weft::Answer<std::uint32_t> count(weft::Call&, std::string_view text) override {
    return static_cast<std::uint32_t>(std::ranges::count(text, ' ') + 1);
  }
};

int main(int argc, char** argv) {
  return weft::provider::serve(
      argc, argv, [](weft::provider::Setup&) -> weft::Result<weft::provider::Interfaces> {
        weft::provider::Interfaces served;
        served.add<words::Binding>(words::kName, words::kFunctions, std::make_unique<Words>());
        return served;
      });
}
"""


@unittest.skipIf(FAST, "compiles")
class ProviderSdk(unittest.TestCase):
    def run_to_end(self, home, *command):
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=BUILD_SECONDS_MAX, env=environment(home))
        self.assertEqual(done.returncode, 0,
                         f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def install(self, folder):
        """The SDK, as `make install` does; where it is."""
        prefix = os.path.join(folder, "prefix")
        self.run_to_end(folder, f"{ROOT}/sdk/provider/package/install.sh", os.path.dirname(WEFT),
                        prefix)
        return prefix

    def build(self, folder, source, prefix, program, *more):
        """The project builds, and its program by itself says what it is."""
        self.run_to_end(folder, "cmake", "-G", "Ninja", "-S", source, "-B", f"{folder}/build",
                        "-DCMAKE_CXX_COMPILER=clang++-22", f"-DCMAKE_PREFIX_PATH={prefix}",
                        *more)
        self.run_to_end(folder, "ninja", "-C", f"{folder}/build")
        alone = subprocess.run([f"{folder}/build/{program}"], capture_output=True, text=True,
                               check=False, timeout=BUILD_SECONDS_MAX, env=environment(folder))
        self.assertEqual(alone.returncode, 2)
        self.assertIn("is a provider", alone.stderr)

    def test_a_project_finds_it_and_builds(self):
        with tempfile.TemporaryDirectory() as folder:
            prefix = self.install(folder)
            for name, text in (("words.wit", WIT), ("CMakeLists.txt", CMAKE),
                               ("main.cc", "#include <algorithm>\n" + MAIN)):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            self.build(folder, folder, prefix, "words", f"-DWEFT_EXECUTABLE={WEFT}")

    def test_the_example_llm_builds(self):
        """By the lines of its README, which use weft's HTTP client too."""
        example = os.path.join(ROOT, "examples", "llm")
        with open(os.path.join(example, "README.md"), encoding="utf-8") as file:
            lines = re.search(r"(?:^    .*\n)*^    find_package\(weft-provider.*\n(?:^    .*\n)*",
                              file.read(), re.M)[0]
        with tempfile.TemporaryDirectory() as folder:
            prefix = self.install(folder)
            for name in ("wit", "provider"):
                shutil.copytree(os.path.join(example, name), os.path.join(folder, name))
            with open(os.path.join(folder, "CMakeLists.txt"), "w", encoding="utf-8") as file:
                file.write("cmake_minimum_required(VERSION 3.25)\nproject(llm CXX)\n" +
                           textwrap.dedent(lines))
            self.build(folder, folder, prefix, "llm-provider", f"-DWEFT_EXECUTABLE={WEFT}")

    def test_what_bindgen_begins_with_builds(self):
        """`weft bindgen provider`, and nothing else, is a project that builds and is a provider."""
        with tempfile.TemporaryDirectory() as folder:
            prefix = self.install(folder)
            self.run_to_end(folder, WEFT, "bindgen", "provider", f"{ROOT}/examples/prices/wit",
                            "--interface", "acme:prices/quotes@1.0.0", "--out",
                            f"{folder}/provider")
            self.build(folder, f"{folder}/provider", prefix, "provider")


if __name__ == "__main__":
    unittest.main()
