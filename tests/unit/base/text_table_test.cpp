#include "base/text_table.hpp"

#include <doctest/doctest.h>

using namespace tandem;

TEST_CASE("TextTable: columns are as wide as their widest cell, numbers end on one line") {
  TextTable table;
  table.column("NAME");
  table.column("N", TextTable::Align::right);
  table.column("LAST");
  CHECK(table.empty());
  table.row({"a", "1", "x"});
  table.row({"longer", "1000", ""});
  CHECK(table.to_string() ==
        "NAME       N  LAST\n"
        "a          1  x\n"
        "longer  1000\n");
}

TEST_CASE("TextTable: code points count, not bytes; control characters cannot move the cursor") {
  TextTable table;
  table.column("A");
  table.column("B");
  table.row({"gr\xC3\xBC\xC3\x9F", "1"});
  table.row({"a\x1B[2J", "2"});
  CHECK(table.to_string() ==
        "A      B\n"
        "gr\xC3\xBC\xC3\x9F   1\n"
        "a?[2J  2\n");
}

TEST_CASE("TextTable: missing cells at the end are empty") {
  TextTable table;
  table.column("A");
  table.column("B");
  table.row({"1"});
  table.row({});
  CHECK(table.to_string() == "A  B\n1\n\n");
}
