// Uses the types of wit/world.wit: compiled for a guest and for the host, against the bindings of
// either, this makes the same values and says the same of them.
#pragma once

#include <string>

#include "wit/test/mirror_1_0_0/shapes.h"

namespace mirror {

namespace shapes = weft::wit::test::mirror_1_0_0::shapes;

inline shapes::Nested sample() {
  shapes::Nested nested{.name = "sample"};
  nested.shapes = {shapes::Shape::nothing(),    shapes::Shape::dot({.x = 1, .y = -1}),
                   shapes::Shape::text("text"), shapes::Shape::path({{1, 2}, {3, 4}}),
                   shapes::Shape::index_(9),    shapes::Shape::variant_(3)};
  nested.more = shapes::Mixed::e({1, -2, 0.5F});
  nested.when = std::unexpected(shapes::Failure::other("late"));
  return nested;
}

inline std::string tell(const shapes::Nested& nested) {
  using shapes::Shape;
  std::string text = nested.name;
  for (const Shape& shape : nested.shapes) {
    text += ' ';
    text += shape.match([](const Shape::Dot& dot) { return std::to_string(dot.value.x); },
                        [](const Shape::Text& text) { return text.value; },
                        [](const Shape::Path& path) { return std::to_string(path.value.size()); },
                        [](const auto&) { return std::string("-"); });
  }
  if (nested.more && nested.more->is<shapes::Mixed::F>()) {
    text += " ";
    text += to_string(nested.more->as<shapes::Mixed::F>()->value);
  }
  if (!nested.when) text += nested.when.error() == shapes::Failure::not_found() ? " lost" : " late";
  return text;
}

}  // namespace mirror
