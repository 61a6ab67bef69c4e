import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, ValidateIf } from 'class-validator';
import { ROLES, type Role } from '#libs/http/index.js';
import { IsFutureInstant, IsLabel } from './rules.decorator.js';

/** A new API token. */
export class CreateTokenDto {
  @ApiProperty({ maxLength: 128 })
  @IsLabel()
  name!: string;

  @ApiProperty({ enum: ROLES })
  @IsIn(ROLES)
  role!: Role;

  @ApiPropertyOptional({ type: String, format: 'date-time', nullable: true })
  @ValidateIf((_owner: unknown, value: unknown) => value !== undefined && value !== null)
  @IsFutureInstant()
  expires_at?: string | null;
}

/** An API token without its secret. */
export class TokenDto {
  @ApiProperty()
  id!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty({ enum: ROLES })
  role!: Role;

  @ApiProperty({ description: 'first characters of the token' })
  token_hint!: string;

  @ApiProperty({ enum: ['active', 'expired', 'revoked'] })
  status!: 'active' | 'expired' | 'revoked';

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  expires_at!: string | null;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at!: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  revoked_at!: string | null;

  @ApiProperty({ type: 'integer' })
  version!: number;
}

export class CreatedTokenDto extends TokenDto {
  @ApiProperty({ description: 'the secret, shown here and never again', example: 'sf_admin_…' })
  token!: string;
}

export class TokenListDto {
  @ApiProperty({ type: [TokenDto] })
  items!: readonly TokenDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor!: string | null;
}
