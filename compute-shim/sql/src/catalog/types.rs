//! Types that users have made, as the catalog knows them: by number, by name, and what rests on them.
//!
//! An enum type brings the type of its arrays along, whose name follows from its own: `_mood`, or with more underscores if
//! that is taken. Which numbers are types: `hexalog_sql_types::types`.

use super::Catalog;
use super::object::{EnumType, KeyPart, Object, Oid, PG_CATALOG_OID, Table, View};
use crate::session::SessionView;
use hexalog_sql_types::TypeId;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::types::{ENUM_OID_FIRST, marked_types};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 63;

/// The name of an array type with an underscore more than a name, cut to fit.
fn underscored(name: &str) -> String {
    let mut end = name.len().min(NAME_BYTES_MAX - 1);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("_{}", &name[..end])
}

impl Catalog {
    pub(super) fn derive_type_names(&mut self) {
        for object in self.enums.values() {
            self.type_names.entry(object.schema).or_default().insert(object.name.clone(), object.id());
        }
        for object in self.enums.values() {
            let names = self.type_names.get_mut(&object.schema).expect("its own name is there");
            let mut name = underscored(&object.name);
            while names.contains_key(&name) {
                name = underscored(&name);
            }
            names.insert(name, TypeId(object.oid + 1));
        }
    }

    pub(crate) fn enums(&self) -> impl Iterator<Item = &Arc<EnumType>> {
        self.enums.values()
    }

    /// The enum type of this number.
    pub(crate) fn enum_type(&self, id: TypeId) -> Option<&Arc<EnumType>> {
        self.enums.get(&id.0)
    }

    /// The enum type that a type is or is the array of.
    pub(crate) fn enum_of(&self, id: TypeId) -> Option<&Arc<EnumType>> {
        self.enum_type(id.array_element().unwrap_or(id))
    }

    /// The type of users that has a name in a schema.
    pub(crate) fn type_in(&self, schema: Oid, name: &str) -> Option<TypeId> {
        self.type_names.get(&schema)?.get(name).copied()
    }

    /// `typname` of a type of users.
    pub(crate) fn type_name(&self, id: TypeId) -> Option<&str> {
        let object = self.enum_of(id)?;
        let mut names = self.type_names.get(&object.schema)?.iter();
        names.find(|(_, known)| **known == id).map(|(name, _)| name.as_str())
    }

    /// The number for the next type.
    pub(crate) fn next_type_oid(&self) -> Oid {
        self.enums.keys().next_back().map_or(ENUM_OID_FIRST, |last| last + 2)
    }
}

/// How a session has to write the name of a type that users have made; `None` if there is none.
pub(crate) fn type_shown(view: &SessionView, id: TypeId) -> Option<String> {
    let catalog = view.catalog();
    let object = catalog.enum_of(id)?;
    let brackets = if id.is_enum_array() { "[]" } else { "" };
    let name = quote_identifier(&object.name);
    Some(match is_type_visible(view, object) {
        true => format!("{name}{brackets}"),
        false => format!("{}.{name}{brackets}", quote_identifier(catalog.schema_name(object.schema))),
    })
}

/// Whether a type's name without its schema leads to it.
pub(crate) fn is_type_visible(view: &SessionView, object: &EnumType) -> bool {
    let found = view.search_path().iter().find_map(|&schema| match schema {
        PG_CATALOG_OID => {
            hexalog_sql_types::types::TYPES.iter().find(|info| info.name == object.name).map(|info| info.id)
        }
        schema => view.catalog().type_in(schema, &object.name),
    });
    found == Some(object.id())
}

fn add_types_of_table(table: &Table, found: &mut BTreeSet<TypeId>) {
    for column in table.columns.iter().filter(|column| !column.dropped) {
        found.insert(column.type_id);
        found.extend(column.stored_default().into_iter().flat_map(marked_types));
    }
    found.extend(table.checks.iter().flat_map(|check| marked_types(&check.expression)));
    for index in &table.indexes {
        for column in &index.columns {
            if let KeyPart::Expression(expression) = &column.part {
                found.extend(marked_types(&expression.text));
            }
        }
        found.extend(index.predicate.iter().flat_map(|predicate| marked_types(&predicate.text)));
    }
}

fn add_types_of_view(view: &View, found: &mut BTreeSet<TypeId>) {
    found.extend(view.columns.iter().map(|column| column.type_id));
    found.extend(marked_types(&view.text));
}

/// The enum types that an object rests on, by its columns or by a text that is kept with it.
pub(crate) fn types_used(object: &Object) -> BTreeSet<TypeId> {
    let mut found = BTreeSet::new();
    match object {
        Object::Table(table) => add_types_of_table(table, &mut found),
        Object::View(view) => add_types_of_view(view, &mut found),
        _ => {}
    }
    let elements = found.into_iter().map(|id| id.array_element().unwrap_or(id));
    elements.filter(|id| id.is_enum()).collect()
}
