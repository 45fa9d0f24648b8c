#include "format/model_stamp.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace nearest::format {
namespace {

std::uint64_t stamp(std::string_view model) { return model_stamp(model, nullptr); }
std::uint64_t stamp(std::string_view model, std::string_view version) {
  return model_stamp(model, &version);
}

TEST(ModelStamp, IsOfNameAndVersion) {
  std::set<std::uint64_t> stamps = {stamp("a"),      stamp("a", ""), stamp("a", "1"), stamp("a1"),
                                    stamp("a", "2"), stamp("", "a"), stamp("b"),      stamp("A")};
  EXPECT_EQ(stamps.size(), 8U);
}

TEST(ModelStamp, NeverSaysNoModel) {
  std::set<std::uint64_t> stamps;
  for (int i = 0; i < 10000; ++i) stamps.insert(stamp("model " + std::to_string(i)));
  EXPECT_EQ(stamps.size(), 10000U);
  EXPECT_FALSE(stamps.contains(kNoModel));
}

// Stamps are in indexes: those of another server, and of a later version, are the same.
TEST(ModelStamp, IsAsStored) {
  EXPECT_EQ(stamp("all-MiniLM-L6-v2"), 0x72E8'3870'3346'D686U);
  EXPECT_EQ(stamp("all-MiniLM-L6-v2", "2"), 0x7A71'EB82'F8F4'320BU);
}

}  // namespace
}  // namespace nearest::format
