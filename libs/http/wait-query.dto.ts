import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';

/** `?wait=applied`: answer when every living replica has taken the change over (5 s at most). */
export class WaitQueryDto {
  @ApiPropertyOptional({ enum: ['applied'] })
  @IsOptional()
  @IsIn(['applied'])
  wait?: 'applied';
}
