// Shows which question marks of a statement are parameters, and what is refused before MySQL sees
// it.
#include "capabilities/sql/drivers/mysql/scanner.h"

#include <gtest/gtest.h>

namespace weft::sql::mysql {
namespace {

std::size_t parameters(std::string_view text) {
  auto scanned = scan(text);
  EXPECT_TRUE(scanned.has_value()) << text;
  return scanned ? scanned->parameters : 99;
}

TEST(Scanner, counts_question_marks) {
  EXPECT_EQ(parameters("SELECT ?, ? WHERE a=?"), 3u);
  EXPECT_EQ(parameters("VALUES (?,?)"), 2u);
  EXPECT_EQ(parameters("SELECT 1--?"), 1u) << "minus minus";
}

TEST(Scanner, counts_none_in_strings_names_and_comments) {
  for (std::string_view text :
       {"SELECT '?'", "SELECT 'it''s ?' ", "SELECT \"a?\"\"?\"", "SELECT `a?```", "SELECT 1 -- ?\n",
        "SELECT 1 -- ?", "SELECT 1 # ?", "/* ? */ SELECT 1", "SELECT N'?'", "SELECT a?b"}) {
    EXPECT_EQ(parameters(text), text == "SELECT a?b" ? 1u : 0u) << text;
  }
  EXPECT_EQ(parameters("SELECT '\\' , ?"), 1u) << "a backslash is a character";
  EXPECT_EQ(parameters("/* /* */ SELECT ?"), 1u) << "comments do not nest";
  EXPECT_EQ(parameters("# '\nSELECT ?"), 1u);
}

TEST(Scanner, refuses_other_placeholders_and_what_hides) {
  for (std::string_view text :
       {"SELECT $1", "SELECT ?1", "SELECT :a", "SELECT a ?? b", "/*! SET a = 1 */", "/*M!1 x */",
        "/*!50000 DROP TABLE t */ SELECT 1", "SELECT 'open", "SELECT `open", "SELECT /* open"}) {
    auto scanned = scan(text);
    ASSERT_FALSE(scanned.has_value()) << text;
    EXPECT_TRUE(scanned.error().is<Failure::InvalidSql>());
  }
}

TEST(Scanner, takes_one_statement_to_its_end) {
  EXPECT_EQ(scan("SELECT 1; -- the end ; ?\n ; /* ; */")->text, "SELECT 1");
  EXPECT_EQ(scan("SELECT ';'")->text, "SELECT ';'");
  EXPECT_TRUE(scan(" -- nothing\n;")->empty);
  EXPECT_FALSE(scan("(")->empty);
  for (std::string_view text : {"SELECT 1; SELECT 2", "SELECT 1;?", "; SELECT 1"}) {
    EXPECT_FALSE(scan(text).has_value()) << text;
  }
}

TEST(Scanner, tells_the_first_words_and_what_leaves_traces) {
  auto scanned = scan(" /* BEGIN */ -- x\n (select x from");
  ASSERT_TRUE(scanned.has_value());
  EXPECT_EQ(scanned->first_word, "SELECT");
  EXPECT_EQ(scanned->second_word, "X");
  EXPECT_FALSE(scanned->leaves_traces);
  EXPECT_TRUE(scan("SELECT @a")->leaves_traces);
  EXPECT_TRUE(scan("SELECT get_lock('a', 1)")->leaves_traces);
  EXPECT_FALSE(scan("SELECT '@a'")->leaves_traces);
}

}  // namespace
}  // namespace weft::sql::mysql
