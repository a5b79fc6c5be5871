#!/usr/bin/env python3
"""`weft bindgen`: bindings as files, for each kind, and what is said of WIT that has none."""

import os
import shutil
import unittest

from client import get
from host import FAST, ROOT, run
from test_build import BUILD_SECONDS_MAX, Folder

WIT = """package acme:shop@1.0.0;

interface stock {
  variant failure { unknown, other(string) }
  record item { name: string, count: u32, tags: list<string> }
  resource shelf {
    constructor(name: string);
    take: func(item: string) -> result<item, failure>;
  }
  find: func(name: string) -> result<item, failure>;
  restock: async func(items: list<item>);
}

world keeper { export stock; }
"""

# What the C bindings do not know; a store of weft's beside it.
OWN = """package acme:mine;

interface lists {
  record visit { name: string, count: u64 }
  fixed: func(v: list<u16, 3>) -> list<u16, 3>;
  note: func(name: string) -> visit;
}

world visits {
  import wasi:keyvalue/store@0.2.0-draft;
  import wasi:keyvalue/atomics@0.2.0-draft;
  import wasi:keyvalue/batch@0.2.0-draft;
  export lists;
}
"""

OWN_MAIN = """#include "guest.hpp"
#include "weft/keyvalue.h"

namespace lists = weft::wit::acme::mine::lists;

lists::Visit lists::exports::note(std::string_view name) {
  auto bucket = weft::keyvalue::open();
  auto count = bucket->increment(name);
  return {std::string(name), count.value_or(0)};
}
"""

MANIFEST = """[app]
name = "own"
[component.own]
build = { language = "c++", sources = ["main.cc"], wit = "wit" }
"""


class Bindgen(unittest.TestCase):
    def test_provider_keeps_what_a_person_wrote(self):
        """What is generated follows the WIT; what was written once is left alone, which is said."""
        with Folder() as folder:
            folder.write(WIT, "shop.wit")
            first = folder.weft("bindgen", "provider", "shop.wit", "--interface", "stock",
                                "--out", "keeper").out
            self.assertIn("keeper/main.cc\n", first)
            self.assertIn("keeper/CMakeLists.txt\n", first)
            self.assertIn("keeper/stock_host.h\n", first)
            self.assertIn("keeper/generated/wit/acme/shop_1_0_0/stock.h\n", first)
            self.assertIn("find_package(weft-provider REQUIRED)",
                          folder.read("keeper", "CMakeLists.txt"))
            mine = "// mine\n" + folder.read("keeper", "stock_host.h")
            folder.write(mine, "keeper", "stock_host.h")
            folder.write("broken", "keeper", "generated", "bindings.cc")
            folder.write(WIT.replace("unknown", "not-here"), "shop.wit")
            second = folder.weft("bindgen", "provider", "shop.wit", "--world", "keeper",
                                 "--out", "keeper").out
            self.assertIn("keeper/main.cc (kept)\n", second)
            self.assertIn("keeper/stock_host.h (kept)\n", second)
            self.assertIn("keeper/generated/bindings.cc\n", second)
            self.assertEqual(folder.read("keeper", "stock_host.h"), mine)
            self.assertIn("#include", folder.read("keeper", "generated", "bindings.cc"))
            header = folder.read("keeper", "generated", "wit", "acme", "shop_1_0_0", "stock.h")
            self.assertIn("NotHere", header)
            # Nothing to provide is said, and not made.
            folder.write("package a:b;\ninterface types { type t = u32; }\n", "none.wit")
            done = folder.weft("bindgen", "provider", "none.wit", "--out", "none", code=1)
            self.assertIn("nothing to provide", done.err)
            self.assertFalse(os.path.exists(folder.file("none", "main.cc")))

    def test_guests(self):
        """Both kinds of a guest's bindings are whole: with the headers that they include."""
        with Folder() as folder:
            folder.write(WIT, "shop.wit")
            listed = folder.weft("bindgen", "guest-c", "shop.wit", "--out", "c").out
            self.assertEqual(listed, "c/guest.h\nc/guest.c\nc/guest_component_type.o\n")
            listed = folder.weft("bindgen", "guest-cpp", "shop.wit", "--world", "keeper",
                                 "--out", "cpp").out.split()
            for name in ("guest.hpp", "guest.cc", "wit/acme/shop_1_0_0/stock.h", "weft/wit.h",
                         "weft/abi.h", "weft/abi_values.h", "weft/async.h", "weft/stream.h"):
                self.assertIn("cpp/" + name, listed)
            for name in listed:
                self.assertTrue(os.path.exists(folder.file(name)), name)
            # The same type has the same shape on both sides.
            folder.weft("bindgen", "host", "shop.wit", "--interface", "stock", "--out", "host")
            struct = "struct Item {\n  ::std::string name{};\n  ::std::uint32_t count{};\n"
            for side in ("cpp", "host"):
                self.assertIn(struct, folder.read(side, "wit", "acme", "shop_1_0_0", "stock.h"))

    def test_what_is_wrong(self):
        """WIT with an error is told with file and line, for each kind; so is what is not served."""
        with Folder() as folder:
            folder.write(WIT.replace("count: u32", "count u32"), "shop.wit")
            for kind in ("host", "provider", "guest-cpp", "guest-c"):
                done = folder.weft("bindgen", kind, "shop.wit", "--out", kind, code=1)
                self.assertIn("shop.wit:5:37", done.err, kind)
                self.assertIn("expected ':', found keyword `u32`", done.err, kind)
                self.assertFalse(os.path.exists(folder.file(kind, "wit")), kind)
            folder.write(WIT.replace("list<string>", "list<strang>"), "shop.wit")
            done = folder.weft("bindgen", "guest-cpp", "shop.wit", code=1)
            self.assertIn("shop.wit:5:54", done.err)
            self.assertIn("strang", done.err)
            folder.write(WIT.replace("restock: async func(items: list<item>)",
                                     "restock: async func(items: stream<shelf>)"), "shop.wit")
            done = folder.weft("bindgen", "guest-cpp", "shop.wit", code=1)
            self.assertIn("acme:shop/stock@1.0.0, restock: a stream of resources", done.err)
            folder.write(WIT, "shop.wit")
            done = folder.weft("bindgen", "guest-cpp", "shop.wit", "--world", "keper", code=1)
            self.assertIn("keper", done.err)
            done = folder.weft("bindgen", "guest-c", "shop.wit", "--interface", "stock", code=1)
            self.assertIn("--world", done.err)
            # Without a kind it is for a host; a kind alone, or another one, is told.
            self.assertIn("stock.h", folder.weft("bindgen", "shop.wit", "--out", "short").out)
            for words in (["guest-cpp"], ["guest-rust", "shop.wit"]):
                done = folder.weft("bindgen", *words, code=1)
                self.assertIn("KIND is host, provider, guest-cpp, guest-c", done.err)

    @unittest.skipIf(FAST, "compiles")
    def test_two_components_and_their_own_interface(self):
        """The example of prices: one component serves what another, which serves HTTP, imports."""
        with Folder() as folder:
            shutil.copytree(os.path.join(ROOT, "examples", "prices"), folder.file("prices"))
            folder.weft("build", "prices")
            folder.weft("check", "prices")
            with folder.serve("run", "prices") as host:
                self.assertEqual(get(host, "/?item=pear&count=12").text, "627 cents, 5 % off\n")
                self.assertEqual(get(host, "/?item=plum").status, 422)
            # In the app's own folder, as people do.
            built = run("build", folder=folder.file("prices"), seconds=BUILD_SECONDS_MAX)
            self.assertEqual(built.code, 0, built)

    @unittest.skipIf(FAST, "compiles")
    def test_a_world_of_ones_own(self):
        """C++ bindings go with the SDK's headers, and know types that those in C do not."""
        with Folder() as folder:
            os.makedirs(folder.file("own", "wit"))
            folder.write(MANIFEST, "own", "weft.toml")
            folder.write(OWN.replace("  fixed: func(v: list<u16, 3>) -> list<u16, 3>;\n", ""),
                         "own", "wit", "world.wit")
            folder.write(OWN_MAIN, "own", "main.cc")
            folder.weft("build", "own")
            for count in (1, 2):
                called = folder.weft("call", "--state", folder.file("state"),
                                     folder.file("own", "build", "own.wasm"),
                                     'acme:mine/lists#note("ann")')
                self.assertEqual(called.out, '{name: "ann", count: %d}\n' % count)
            self.assertIn("nothing to do", folder.weft("build", "own").err)
            # Without C bindings guest.h says why; guest.hpp is there all the same.
            folder.write(OWN, "own", "wit", "world.wit")
            done = folder.weft("build", "own", code=1)
            self.assertIn("the bindings cannot express", done.err)
            folder.write(
                '#include "guest.hpp"\nnamespace lists = weft::wit::acme::mine::lists;\n'
                "lists::Visit lists::exports::note(std::string_view) { return {}; }\n"
                "std::array<std::uint16_t, 3> lists::exports::fixed(\n"
                "    std::array<std::uint16_t, 3> v) { return {v[2], v[1], v[0]}; }\n",
                "own", "main.cc")
            folder.weft("build", "own")


if __name__ == "__main__":
    unittest.main()
