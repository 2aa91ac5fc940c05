-- Trigrams find words of three letters and more. One or two letters, or signs, have no trigram: looking for them read every todo of the
-- user. This index has each single character and each pair of neighbours of a text.

-- The owner is one of the terms, so the search for a user's todos with some letters is one condition, which nothing but this index
-- answers: the planner cannot choose another one because it takes the letters for frequent.
-- Neighbours are found by cutting the text into pairs, from its first and from its second character on. U+0001 marks the cuts and the
-- owner. In the text it counts as a space: a search for it finds too much here and compares the text itself afterwards.
CREATE FUNCTION "todo_search_terms"("owner" TEXT, "searched" TEXT) RETURNS TEXT[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY[E'\x01' || "owner"] || string_to_array(translate("searched", E'\x01', ' '), NULL)
  || string_to_array(rtrim(regexp_replace(translate("searched", E'\x01', ' '), '(..)', E'\\1\x01', 'g'), E'\x01'), E'\x01')
  || string_to_array(rtrim(regexp_replace(substr(translate("searched", E'\x01', ' '), 2), '(..)', E'\\1\x01', 'g'), E'\x01'), E'\x01');

-- Not CONCURRENTLY: an attempt that is cut off would leave an index that nothing uses. Writes wait, about a minute a million todos.
CREATE INDEX "todos_by_terms" ON "todos" USING GIN (
  "todo_search_terms"("user_id", upper(("title" || E'\n' || COALESCE("description", '')) COLLATE "und-x-icu"))
);
