//! Queries and data changes: from the parser crate's tree into ours.
//!
//! Every struct of the crate is taken apart with all its fields, so a clause that this file does not know stops the
//! build, and one that it knows and we do not support is refused by name.

use super::place::is_word;
use super::query_checks::{check_nested, check_ties};
use super::respell_insert::NO_LIST;
use super::respell_query::is_count_with_ties;
use super::tree::{
    Alias, CommonTable, ConflictTarget, Delete, Distinct, EMPTY_LIST, Expr, FromItem, FunctionCall, Insert,
    JoinCondition, JoinKind, Name, OnConflict, Query, QueryBody, Select, SelectItem, SetOperator, Statement,
    Update,
};
use super::{Lower, assigned_part, at, conflict_target, refuse, refuse_if, refuse_some};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::ast;

/// A change of rows in the place of a query.
fn change(statement: Statement) -> Query {
    Query {
        with: Vec::new(),
        body: QueryBody::Change(Box::new(statement)),
        order_by: Vec::new(),
        limit: None,
        with_ties: false,
        offset: None,
        locks: Vec::new(),
    }
}

impl Lower<'_> {
    #[recursive::recursive]
    pub(super) fn query(&mut self, query: ast::Query) -> Result<Query> {
        self.nested(|lower| lower.query_fields(query))
    }

    fn query_fields(&mut self, query: ast::Query) -> Result<Query> {
        let ast::Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        refuse_if(for_clause.is_some(), "FOR XML, JSON or BROWSE")?;
        refuse_if(settings.is_some(), "SETTINGS")?;
        refuse_if(format_clause.is_some(), "FORMAT")?;
        refuse_some(&pipe_operators, "a pipe operator")?;
        let with = with.map(|with| self.with(with)).transpose()?.unwrap_or_default();
        let mut lowered = Query {
            with,
            body: self.set_expr(*body)?,
            order_by: Vec::new(),
            limit: None,
            with_ties: false,
            offset: None,
            locks: self.locks(locks)?,
        };
        if let Some(ast::OrderBy { kind, interpolate }) = order_by {
            refuse_if(interpolate.is_some(), "INTERPOLATE")?;
            lowered.order_by = match kind {
                ast::OrderByKind::Expressions(items) => self.order_items(items)?,
                ast::OrderByKind::All(_) => return Err(refuse("ORDER BY ALL")),
            };
        }
        match limit_clause {
            None => {}
            Some(ast::LimitClause::LimitOffset { limit, offset, limit_by }) => {
                refuse_some(&limit_by, "LIMIT … BY")?;
                lowered.with_ties = limit.as_ref().is_some_and(is_count_with_ties);
                lowered.limit = limit.map(|limit| self.expr(limit)).transpose()?;
                lowered.offset = offset.map(|ast::Offset { value, rows: _ }| self.expr(value)).transpose()?;
            }
            Some(ast::LimitClause::OffsetCommaLimit { .. }) => {
                return Err(SqlError::syntax("LIMIT #,# syntax is not supported")
                    .with_hint("Use separate LIMIT and OFFSET clauses."));
            }
        }
        if let Some(ast::Fetch { with_ties, percent, quantity }) = fetch {
            refuse_if(percent, "FETCH … PERCENT")?;
            refuse_if(lowered.limit.is_some(), "LIMIT together with FETCH")?;
            lowered.limit = Some(match quantity {
                Some(quantity) => self.expr(quantity)?,
                None => Expr::Number { digits: "1".to_owned(), position: 0 },
            });
            lowered.with_ties = with_ties;
        }
        if lowered.with_ties {
            check_ties(&lowered)?;
        }
        check_nested(&lowered)?;
        Ok(lowered)
    }

    fn with(&mut self, with: ast::With) -> Result<Vec<CommonTable>> {
        let ast::With { with_token: _, recursive, cte_tables } = with;
        let mut tables = Vec::with_capacity(cte_tables.len());
        for ast::Cte { alias, query, from, materialized: _, closing_paren_token: _ } in cte_tables {
            refuse_if(from.is_some(), "FROM behind a common table")?;
            let position = self.lines.position(alias.name.span.start);
            let Alias { name, columns, types, .. } = self.alias(alias)?;
            refuse_if(!types.is_empty(), "a column definition list")?;
            let is_change = matches!(
                *query.body,
                ast::SetExpr::Insert(_) | ast::SetExpr::Update(_) | ast::SetExpr::Delete(_)
            );
            let query = match is_change {
                true => self.nested(|lower| lower.query_statement(*query)).map(change)?,
                false => self.query(*query)?,
            };
            tables.push(CommonTable { name, position, recursive, columns, query });
        }
        Ok(tables)
    }

    #[recursive::recursive]
    fn set_expr(&mut self, body: ast::SetExpr) -> Result<QueryBody> {
        match body {
            ast::SetExpr::Select(select) => Ok(QueryBody::Select(Box::new(self.select(*select)?))),
            ast::SetExpr::Query(query) => Ok(QueryBody::Nested(Box::new(self.query(*query)?))),
            ast::SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let op = match op {
                    ast::SetOperator::Union => SetOperator::Union,
                    ast::SetOperator::Intersect => SetOperator::Intersect,
                    ast::SetOperator::Except => SetOperator::Except,
                    ast::SetOperator::Minus => {
                        return Err(SqlError::syntax("syntax error at or near \"MINUS\""));
                    }
                };
                let all = match set_quantifier {
                    ast::SetQuantifier::All => true,
                    ast::SetQuantifier::Distinct | ast::SetQuantifier::None => false,
                    _ => return Err(refuse("UNION BY NAME")),
                };
                self.refuse_into_of_right(&right)?;
                let left = Box::new(self.bare_query(*left)?);
                Ok(QueryBody::SetOperation { op, all, left, right: Box::new(self.bare_query(*right)?) })
            }
            ast::SetExpr::Values(values) => self.values(values),
            ast::SetExpr::Table(table) => {
                let ast::Table { table_name, schema_name } = *table;
                let parts = schema_name.into_iter().chain(table_name).collect();
                Ok(QueryBody::Select(Box::new(Select {
                    distinct: Distinct::No,
                    items: vec![SelectItem::Wildcard { position: 0 }],
                    from: vec![FromItem::Table { name: Name { parts, position: 0 }, alias: None }],
                    filter: None,
                    group_by: Vec::new(),
                    having: None,
                    windows: Vec::new(),
                })))
            }
            ast::SetExpr::Insert(_)
            | ast::SetExpr::Update(_)
            | ast::SetExpr::Delete(_)
            | ast::SetExpr::Merge(_) => Err(refuse("a data-modifying statement inside a query")),
        }
    }

    fn bare_query(&mut self, body: ast::SetExpr) -> Result<Query> {
        self.nested(|lower| {
            let body = lower.set_expr(body)?;
            let (with, order_by, locks) = (Vec::new(), Vec::new(), Vec::new());
            Ok(Query { with, body, order_by, limit: None, with_ties: false, offset: None, locks })
        })
    }

    fn values(&mut self, values: ast::Values) -> Result<QueryBody> {
        let ast::Values { explicit_row, value_keyword, rows } = values;
        refuse_if(explicit_row, "VALUES ROW(…)")?;
        refuse_if(value_keyword, "VALUE without S")?;
        let mut lowered = Vec::with_capacity(rows.len());
        for row in rows {
            lowered.push(self.exprs(row.content)?);
        }
        Ok(QueryBody::Values(lowered))
    }

    fn select(&mut self, select: ast::Select) -> Result<Select> {
        let ast::Select {
            select_token: _,
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        refuse_if(select_modifiers.is_some(), "a SELECT modifier")?;
        refuse_if(top.is_some(), "TOP")?;
        refuse_if(exclude.is_some(), "EXCLUDE")?;
        self.refuse_into(into.as_ref())?;
        refuse_some(&lateral_views, "LATERAL VIEW")?;
        refuse_if(prewhere.is_some(), "PREWHERE")?;
        refuse_some(&connect_by, "CONNECT BY")?;
        refuse_some(&cluster_by, "CLUSTER BY")?;
        refuse_some(&distribute_by, "DISTRIBUTE BY")?;
        refuse_some(&sort_by, "SORT BY")?;
        if qualify.is_some() {
            let position = self.take_after(1, |token| is_word(token, "qualify"));
            return Err(self.unexpected_behind(position));
        }
        refuse_if(value_table_mode.is_some(), "SELECT AS VALUE")?;
        refuse_if(!matches!(flavor, ast::SelectFlavor::Standard), "FROM before SELECT")?;
        let has_empty_set;
        let group_by = match group_by {
            ast::GroupByExpr::Expressions(exprs, modifiers) => {
                refuse_some(&modifiers, "GROUP BY WITH ROLLUP or CUBE")?;
                let sets = |expr: &ast::Expr| {
                    matches!(expr, ast::Expr::GroupingSets(_) | ast::Expr::Cube(_) | ast::Expr::Rollup(_))
                };
                refuse_if(exprs.iter().any(sets), "GROUPING SETS, CUBE or ROLLUP")?;
                // The empty grouping set: what is left of the rows is one group.
                let is_empty = |expr: &ast::Expr| matches!(expr, ast::Expr::Tuple(items) if items.is_empty());
                has_empty_set = exprs.iter().any(is_empty);
                self.exprs(exprs.into_iter().filter(|expr| !is_empty(expr)).collect())?
            }
            ast::GroupByExpr::All(_) => return Err(refuse("GROUP BY ALL")),
        };
        let distinct = match distinct {
            None | Some(ast::Distinct::All) => Distinct::No,
            Some(ast::Distinct::Distinct) => Distinct::Yes,
            Some(ast::Distinct::On(exprs)) => Distinct::On(self.exprs(exprs)?),
        };
        Ok(Select {
            distinct,
            items: self.select_items(projection)?,
            from: self.item_list(from)?,
            filter: selection.map(|filter| self.expr(filter)).transpose()?,
            group_by,
            having: match having {
                Some(having) => Some(self.expr(having)?),
                None => has_empty_set.then_some(Expr::Bool { value: true, position: 0 }),
            },
            windows: self.named_windows(named_window)?,
        })
    }

    fn select_items(&mut self, items: Vec<ast::SelectItem>) -> Result<Vec<SelectItem>> {
        if let [ast::SelectItem::UnnamedExpr(ast::Expr::Function(call))] = items.as_slice()
            && is_empty_list(call)
        {
            return Ok(Vec::new());
        }
        items.into_iter().map(|item| self.select_item(item)).collect()
    }

    fn select_item(&mut self, item: ast::SelectItem) -> Result<SelectItem> {
        match item {
            ast::SelectItem::UnnamedExpr(expr) => {
                Ok(SelectItem::Expr { expr: self.expr(expr)?, alias: None })
            }
            ast::SelectItem::ExprWithAlias { expr: _, alias } if alias.quote_style == Some('\'') => {
                let position = self.lines.position(alias.span.start);
                Err(at(SqlError::syntax(format!("syntax error at or near \"'{}'\"", alias.value)), position))
            }
            ast::SelectItem::ExprWithAlias { expr, alias } => {
                let alias = Some(self.label(alias)?);
                Ok(SelectItem::Expr { expr: self.expr(expr)?, alias })
            }
            ast::SelectItem::ExprWithAliases { .. } => Err(refuse("several aliases of one column")),
            ast::SelectItem::QualifiedWildcard(
                ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) => {
                // A name behind it means nothing to PostgreSQL either.
                self.plain_wildcard(ast::WildcardAdditionalOptions { opt_alias: None, ..options })?;
                Ok(SelectItem::QualifiedWildcard(self.object_name(name)?))
            }
            ast::SelectItem::QualifiedWildcard(ast::SelectItemQualifiedWildcardKind::Expr(_), _) => {
                Err(refuse("expansion of a composite value"))
            }
            ast::SelectItem::Wildcard(options) => {
                let position = self.lines.position(options.wildcard_token.0.span.start);
                self.plain_wildcard(options)?;
                Ok(SelectItem::Wildcard { position })
            }
        }
    }

    /// `*` with nothing behind it. The parser crate takes a name there, for other databases.
    fn plain_wildcard(&self, options: ast::WildcardAdditionalOptions) -> Result<()> {
        let ast::WildcardAdditionalOptions {
            wildcard_token: _,
            opt_ilike,
            opt_exclude,
            opt_except,
            opt_replace,
            opt_rename,
            opt_alias,
        } = options;
        if let Some(alias) = opt_alias {
            let position = self.lines.position(alias.span.start);
            return Err(at(SqlError::syntax(format!("syntax error at or near \"{alias}\"")), position));
        }
        let plain = opt_ilike.is_none()
            && opt_exclude.is_none()
            && opt_except.is_none()
            && opt_replace.is_none()
            && opt_rename.is_none();
        refuse_if(!plain, "a clause behind *")
    }

    fn item_list(&mut self, from: Vec<ast::TableWithJoins>) -> Result<Vec<FromItem>> {
        // The plan joins them from left to right, so that the first one stands deepest.
        let mut items = Vec::with_capacity(from.len());
        let count = from.len();
        for (at, item) in from.into_iter().enumerate() {
            items.push(self.nested_by(count - at, |lower| lower.joined(item))?);
        }
        Ok(items)
    }

    fn joined(&mut self, item: ast::TableWithJoins) -> Result<FromItem> {
        let ast::TableWithJoins { relation, joins } = item;
        let count = joins.len();
        let mut left = self.nested_by(count, |lower| lower.factor(relation))?;
        for (at, ast::Join { relation, global, join_operator }) in joins.into_iter().enumerate() {
            refuse_if(global, "GLOBAL JOIN")?;
            let right = self.nested_by(count - at, |lower| lower.factor(relation))?;
            let (kind, condition) = self.join_operator(join_operator)?;
            left = FromItem::Join { kind, left: Box::new(left), right: Box::new(right), condition };
        }
        Ok(left)
    }

    fn join_operator(&mut self, operator: ast::JoinOperator) -> Result<(JoinKind, JoinCondition)> {
        use ast::JoinOperator as J;
        let (kind, constraint) = match operator {
            J::Join(constraint) | J::Inner(constraint) => (JoinKind::Inner, constraint),
            J::Left(constraint) | J::LeftOuter(constraint) => (JoinKind::Left, constraint),
            J::Right(constraint) | J::RightOuter(constraint) => (JoinKind::Right, constraint),
            J::FullOuter(constraint) => (JoinKind::Full, constraint),
            J::CrossJoin(ast::JoinConstraint::None) => return Ok((JoinKind::Inner, JoinCondition::None)),
            J::Semi(_) | J::LeftSemi(_) | J::RightSemi(_) => return Err(self.foreign_word(1, &["semi"])),
            J::Anti(_) | J::LeftAnti(_) | J::RightAnti(_) => return Err(self.foreign_word(1, &["anti"])),
            _ => return Err(refuse("this kind of join")),
        };
        let condition = match constraint {
            ast::JoinConstraint::On(expr) => JoinCondition::On(self.expr(expr)?),
            ast::JoinConstraint::Using(columns) => {
                let mut names = Vec::with_capacity(columns.len());
                for column in columns {
                    names.push(self.object_name(column)?.last().to_owned());
                }
                JoinCondition::Using(names)
            }
            ast::JoinConstraint::Natural => JoinCondition::Natural,
            ast::JoinConstraint::None => return Err(SqlError::syntax("a join without ON or USING")),
        };
        Ok((kind, condition))
    }

    fn alias(&mut self, alias: ast::TableAlias) -> Result<Alias> {
        let ast::TableAlias { explicit: _, name, columns, at } = alias;
        refuse_if(at.is_some(), "AT behind an alias")?;
        let mut names = Vec::with_capacity(columns.len());
        let columns_position =
            columns.first().map_or(0, |column| self.lines.position(column.name.span.start));
        let mut types = Vec::new();
        for ast::TableAliasColumnDef { name, data_type } in columns {
            names.push(self.column_id(name)?);
            if let Some(data_type) = data_type {
                types.push(self.type_name(data_type)?);
            }
        }
        if !types.is_empty() && types.len() < names.len() {
            return Err(SqlError::syntax("syntax error in a column definition list"));
        }
        Ok(Alias { name: self.column_id(name)?, columns: names, types, columns_position })
    }

    fn optional_alias(&mut self, alias: Option<ast::TableAlias>) -> Result<Option<Alias>> {
        alias.map(|alias| self.alias(alias)).transpose()
    }

    fn factor(&mut self, factor: ast::TableFactor) -> Result<FromItem> {
        match factor {
            table @ ast::TableFactor::Table { .. } => self.table_factor(table),
            ast::TableFactor::Derived { lateral, subquery, alias, sample } => {
                refuse_if(sample.is_some(), "TABLESAMPLE")?;
                let position = self.parenthesis_before(self.query_start(&subquery));
                let query = Box::new(self.query(*subquery)?);
                Ok(FromItem::Subquery { lateral, query, alias: self.optional_alias(alias)?, position })
            }
            ast::TableFactor::Function { lateral: _, name, args, with_ordinality, alias } => {
                let name = self.function_name(name)?;
                self.function_factor(name, args, with_ordinality, alias)
            }
            ast::TableFactor::TableFunction { expr: ast::Expr::Function(function), alias } => {
                let calls = side_by_side(self.function_call(function)?);
                Ok(FromItem::Functions { calls, ordinality: false, alias: self.optional_alias(alias)? })
            }
            ast::TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset,
                with_offset_alias,
                with_ordinality,
            } => {
                refuse_if(with_offset || with_offset_alias.is_some(), "UNNEST WITH OFFSET")?;
                let arguments = self.exprs(array_exprs)?;
                let start = arguments.first().map_or(0, Expr::start);
                let position = self.take_before(start, |token| is_word(token, "unnest"));
                let name = Name { position, ..Name::single("unnest") };
                Ok(FromItem::Functions {
                    calls: side_by_side(FunctionCall::plain(name, arguments)),
                    ordinality: with_ordinality,
                    alias: self.optional_alias(alias)?,
                })
            }
            ast::TableFactor::NestedJoin { table_with_joins, alias } => {
                let item = self.nested(|lower| lower.joined(*table_with_joins))?;
                match self.optional_alias(alias)? {
                    None => Ok(item),
                    Some(alias) => Ok(FromItem::Nested { item: Box::new(item), alias }),
                }
            }
            _ => Err(refuse("this item in FROM")),
        }
    }

    fn table_factor(&mut self, factor: ast::TableFactor) -> Result<FromItem> {
        let ast::TableFactor::Table {
            name,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } = factor
        else {
            unreachable!("called for tables only");
        };
        refuse_some(&with_hints, "a table hint")?;
        refuse_if(version.is_some(), "a table version")?;
        refuse_some(&partitions, "PARTITION")?;
        refuse_if(json_path.is_some(), "a JSON path behind a table")?;
        refuse_if(sample.is_some(), "TABLESAMPLE")?;
        refuse_some(&index_hints, "an index hint")?;
        match args {
            Some(ast::TableFunctionArgs { args, settings }) => {
                refuse_if(settings.is_some(), "SETTINGS")?;
                let name = self.function_name(name)?;
                self.function_factor(name, args, with_ordinality, alias)
            }
            None => {
                refuse_if(with_ordinality, "WITH ORDINALITY behind a table")?;
                let name = self.object_name(name)?;
                Ok(FromItem::Table { name, alias: self.optional_alias(alias)? })
            }
        }
    }

    fn function_factor(
        &mut self,
        name: Name,
        args: Vec<ast::FunctionArg>,
        ordinality: bool,
        alias: Option<ast::TableAlias>,
    ) -> Result<FromItem> {
        let mut call = FunctionCall::plain(name.clone(), Vec::new());
        if self.arguments(args, &mut call)? {
            return Err(SqlError::syntax("syntax error at or near \"*\""));
        }
        let is_rows_from = name.parts == [ROWS_FROM];
        let alias = self.optional_alias(alias)?;
        if !is_rows_from {
            let calls = side_by_side(call);
            return Ok(FromItem::Functions { calls, ordinality, alias });
        }
        let mut calls = Vec::with_capacity(call.arguments.len());
        for argument in call.arguments {
            match argument {
                Expr::Function(call) => calls.extend(side_by_side(*call)),
                _ => return Err(refuse("something that is no function call in ROWS FROM")),
            }
        }
        Ok(FromItem::Functions { calls, ordinality, alias })
    }

    /// INSERT, UPDATE, DELETE and queries, with a WITH clause in front of any.
    pub(super) fn data_statement(&mut self, statement: ast::Statement) -> Result<Statement> {
        match statement {
            ast::Statement::Query(query) => self.query_statement(*query),
            ast::Statement::Insert(insert) => self.insert(insert).map(Statement::Insert),
            ast::Statement::Update(update) => self.update(update).map(Statement::Update),
            ast::Statement::Delete(delete) => self.delete(delete).map(Statement::Delete),
            _ => Err(refuse("this statement")),
        }
    }

    fn query_statement(&mut self, query: ast::Query) -> Result<Statement> {
        let changes = matches!(
            *query.body,
            ast::SetExpr::Insert(_) | ast::SetExpr::Update(_) | ast::SetExpr::Delete(_)
        );
        if !changes {
            return self.query_or_into(query);
        }
        let ast::Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        let has_more = order_by.is_some()
            || limit_clause.is_some()
            || fetch.is_some()
            || !locks.is_empty()
            || for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty();
        if has_more {
            return Err(SqlError::syntax("a change of rows takes no ORDER BY, LIMIT or FOR"));
        }
        let with = with.map(|with| self.with(with)).transpose()?.unwrap_or_default();
        let (ast::SetExpr::Insert(inner) | ast::SetExpr::Update(inner) | ast::SetExpr::Delete(inner)) = *body
        else {
            unreachable!("matched above");
        };
        let mut statement = self.data_statement(inner)?;
        match &mut statement {
            Statement::Insert(insert) => insert.with = with,
            Statement::Update(update) => update.with = with,
            Statement::Delete(delete) => delete.with = with,
            _ => return Err(refuse("this statement behind WITH")),
        }
        Ok(statement)
    }

    fn insert(&mut self, insert: ast::Insert) -> Result<Insert> {
        let ast::Insert {
            insert_token: _,
            optimizer_hints: _,
            or,
            ignore,
            into,
            table,
            table_alias,
            columns,
            overwrite,
            source,
            assignments,
            partitioned,
            after_columns,
            has_table_keyword,
            on,
            returning,
            output,
            replace_into,
            priority,
            insert_alias,
            settings,
            format_clause,
            multi_table_insert_type,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause,
        } = insert;
        if has_table_keyword {
            return Err(self.foreign_word(1, &["table"]));
        }
        let foreign = or.is_some() || ignore || overwrite || replace_into || priority.is_some();
        refuse_if(foreign || !into, "this form of INSERT")?;
        refuse_some(&assignments, "INSERT … SET")?;
        refuse_if(partitioned.is_some() || !after_columns.is_empty(), "INSERT … PARTITION")?;
        refuse_if(output.is_some(), "OUTPUT")?;
        refuse_if(insert_alias.is_some(), "an alias behind VALUES")?;
        refuse_if(settings.is_some() || format_clause.is_some(), "SETTINGS or FORMAT")?;
        refuse_if(
            multi_table_insert_type.is_some() || multi_table_else_clause.is_some(),
            "a multi-table INSERT",
        )?;
        refuse_some(&multi_table_into_clauses, "a multi-table INSERT")?;
        refuse_some(&multi_table_when_clauses, "a multi-table INSERT")?;
        let ast::TableObject::TableName(table) = table else {
            return Err(refuse("INSERT into something that is not a table"));
        };
        let mut names = Vec::with_capacity(columns.len());
        for column in columns {
            if is_no_list(&column) {
                continue;
            }
            names.push(assigned_part::assigned_to(self.object_name(column)?, self.assigned_parts));
        }
        let table = self.object_name(table)?;
        let start = table.position;
        Ok(Insert {
            with: Vec::new(),
            table,
            alias: table_alias.map(|alias| self.insert_alias(alias)).transpose()?,
            columns: names,
            // The statement's reader has it (see `statement.rs`).
            overriding: None,
            source: source.map(|source| self.query(*source)).transpose()?,
            on_conflict: on.map(|on| self.on_insert(on, start)).transpose()?,
            returning: self.select_items(returning.unwrap_or_default())?,
            copy_filter: None,
        })
    }

    /// INSERT wants AS in front of its table's alias.
    fn insert_alias(&mut self, alias: ast::TableAliasWithoutColumns) -> Result<String> {
        let ast::TableAliasWithoutColumns { explicit, alias } = alias;
        if !explicit {
            let position = self.lines.position(alias.span.start);
            return Err(at(SqlError::syntax(format!("syntax error at or near \"{alias}\"")), position));
        }
        self.column_id(alias)
    }

    /// `start`: somewhere in front of it.
    fn on_insert(&mut self, on: ast::OnInsert, start: u32) -> Result<OnConflict> {
        let conflict = self.take_after(start, |token| is_word(token, "conflict"));
        let position = self.word_before(conflict, "on");
        let ast::OnInsert::OnConflict(ast::OnConflict { conflict_target, action }) = on else {
            return Err(refuse("ON DUPLICATE KEY UPDATE"));
        };
        let target = match conflict_target {
            None => ConflictTarget::Any,
            Some(ast::ConflictTarget::Columns(columns))
                if let Some(target) = conflict_target::taken(&columns, self.conflict_targets) =>
            {
                target.clone()
            }
            Some(ast::ConflictTarget::Columns(columns)) => {
                // PostgreSQL's errors about one of them point at the list.
                let column = |ident: ast::Ident| {
                    let position = self.parenthesis_before(self.lines.position(ident.span.start));
                    Name { parts: vec![self.ident(ident)], position }
                };
                ConflictTarget::Columns(columns.into_iter().map(column).collect())
            }
            Some(ast::ConflictTarget::OnConstraint(name)) => {
                ConflictTarget::Constraint(self.object_name(name)?.last().to_owned())
            }
        };
        let update = match action {
            ast::OnConflictAction::DoNothing => None,
            ast::OnConflictAction::DoUpdate(ast::DoUpdate { assignments, selection }) => {
                Some((self.assignments(assignments)?, selection.map(|filter| self.expr(filter)).transpose()?))
            }
        };
        Ok(OnConflict { position, target, update })
    }

    fn update(&mut self, update: ast::Update) -> Result<Update> {
        let ast::Update {
            update_token: _,
            optimizer_hints: _,
            table,
            assignments,
            from,
            selection,
            returning,
            output,
            or,
            order_by,
            limit,
        } = update;
        refuse_if(output.is_some() || or.is_some(), "this form of UPDATE")?;
        refuse_some(&order_by, "UPDATE … ORDER BY")?;
        refuse_if(limit.is_some(), "UPDATE … LIMIT")?;
        let (table, alias) = self.target(table)?;
        let from = match from {
            None => Vec::new(),
            Some(ast::UpdateTableFromKind::AfterSet(from)) => self.item_list(from)?,
            Some(ast::UpdateTableFromKind::BeforeSet(_)) => return Err(refuse("FROM before SET")),
        };
        Ok(Update {
            with: Vec::new(),
            table,
            alias,
            assignments: self.assignments(assignments)?,
            from,
            filter: selection.map(|filter| self.expr(filter)).transpose()?,
            returning: self.select_items(returning.unwrap_or_default())?,
        })
    }

    /// The table that UPDATE or DELETE names.
    fn target(&mut self, table: ast::TableWithJoins) -> Result<(Name, Option<String>)> {
        match self.joined(table)? {
            FromItem::Table { name, alias: None } => Ok((name, None)),
            FromItem::Table { name, alias: Some(Alias { name: alias, columns, .. }) }
                if columns.is_empty() =>
            {
                Ok((name, Some(alias)))
            }
            _ => Err(refuse("a target that is not a plain table")),
        }
    }

    fn delete(&mut self, delete: ast::Delete) -> Result<Delete> {
        let ast::Delete {
            delete_token: _,
            optimizer_hints: _,
            tables,
            from,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
        } = delete;
        refuse_some(&tables, "a multi-table DELETE")?;
        refuse_if(output.is_some(), "OUTPUT")?;
        refuse_some(&order_by, "DELETE … ORDER BY")?;
        refuse_if(limit.is_some(), "DELETE … LIMIT")?;
        let ast::FromTable::WithFromKeyword(mut from) = from else {
            return Err(SqlError::syntax("DELETE without FROM"));
        };
        let (Some(table), true) = (from.pop(), from.is_empty()) else {
            return Err(refuse("a multi-table DELETE"));
        };
        let (table, alias) = self.target(table)?;
        Ok(Delete {
            with: Vec::new(),
            table,
            alias,
            using: self.item_list(using.unwrap_or_default())?,
            filter: selection.map(|filter| self.expr(filter)).transpose()?,
            returning: self.select_items(returning.unwrap_or_default())?,
        })
    }
}

/// Whether a column of an INSERT's list stands for no list.
fn is_no_list(column: &ast::ObjectName) -> bool {
    matches!(column.0.as_slice(), [ast::ObjectNamePart::Identifier(name)] if name.value == NO_LIST)
}

/// The name that a call in FROM has if it stands for ROWS FROM; no one can write it.
pub(super) const ROWS_FROM: &str = "ROWS\0FROM";

/// In FROM, `unnest` of several arrays is one `unnest` for each.
fn side_by_side(call: FunctionCall) -> Vec<FunctionCall> {
    let is_unnest = call.name.last() == "unnest"
        && call.name.qualifier().is_none_or(|schema| schema == "pg_catalog")
        && call.arguments.len() > 1
        && call.names.is_empty()
        && !call.variadic;
    if !is_unnest {
        return vec![call];
    }
    let FunctionCall { name, arguments, .. } = call;
    arguments.into_iter().map(|argument| FunctionCall::plain(name.clone(), vec![argument])).collect()
}

/// Whether a call stands for a select list without items.
fn is_empty_list(call: &ast::Function) -> bool {
    matches!(call.name.0.as_slice(), [ast::ObjectNamePart::Identifier(name)] if name.value == EMPTY_LIST)
}
